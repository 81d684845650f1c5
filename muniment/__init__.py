"""The front door: ``from muniment import Client, SigningKey``."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muniment.client import Client, Refused, Subject, Unreachable
    from muniment.publisher_key import PublisherKey
    from muniment.signing_key import SigningKey

__all__ = ["Client", "PublisherKey", "Refused", "SigningKey", "Subject", "Unreachable"]
_HOMES = {"PublisherKey": "muniment.publisher_key", "SigningKey": "muniment.signing_key"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: a verb that needs no client starts without one."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "muniment.client")), name)
