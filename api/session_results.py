"""The answer that the end of a session gives."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from api.place import Place, Shown
from api.times import rfc3339
from api.wiring import Api
from domain.identity.session import SessionEnded


def _ended(_api: Api, event: SessionEnded, place: Place) -> Shown:
    return 204, {"did": event.did, "ended_at": rfc3339(place.at)}


SESSION_RESULTS: Final[Mapping[type, Callable[[Api, Any, Place], Shown]]] = {SessionEnded: _ended}
