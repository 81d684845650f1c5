"""How a verb reaches a running registry: by its address, or by the data directory of a stack on this machine."""

import argparse
import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

from muniment.cli_options import Verbs, add_settings, add_verb, settings_of
from muniment.cli_outcome import Failure
from muniment.client import Client
from muniment.key_files import OPERATOR_FILE
from muniment.settings import Settings
from muniment.signing_key import SigningKey
from muniment.stack.data_directory import STACK_FILE

KEY_VARIABLE: Final = "MUNIMENT_KEY"
MAX_STACK_FILE_BYTES: Final = 1 << 20


def add_client_verb(verbs: Verbs, name: str, run: Any, doc: str) -> argparse.ArgumentParser:
    """Add a verb that talks to a running registry."""
    verb = add_verb(verbs, name, run, doc)
    add_settings(verb, ("url", "data"))
    verb.add_argument(
        "--as", dest="key", type=Path, metavar="FILE", help=f"the key file to sign as ({KEY_VARIABLE}) [the operator's]"
    )
    return verb


def running_stack(settings: Settings) -> Mapping[str, Any]:
    """Read where the stack of a data directory is; raises Failure where none runs."""
    path = settings.data / STACK_FILE
    try:
        found = json.loads(path.read_bytes()[:MAX_STACK_FILE_BYTES])
    except FileNotFoundError:
        raise Failure(
            "not_running", f"no stack runs on {settings.data}: start one with `muniment up`, or name one with --url"
        ) from None
    except (OSError, ValueError):
        raise Failure("not_running", f"{path} can't be read") from None
    if not isinstance(found, dict):
        raise Failure("not_running", f"{path} is damaged")
    return found


def _key(args: argparse.Namespace, settings: Settings, stack_url: str | None) -> SigningKey | None:
    """Give the key to sign as: the one named, or the operator's where the data directory is this registry's."""
    named = args.key or os.environ.get(KEY_VARIABLE)
    if named:
        return SigningKey.load(named)
    path = settings.data / OPERATOR_FILE
    named_data = getattr(args, "data", None) is not None or bool(os.environ.get("MUNIMENT_DATA"))
    if path.exists() and (named_data or settings.url in {None, stack_url}):
        return SigningKey.load(path)
    return None


@contextlib.asynccontextmanager
async def reached(args: argparse.Namespace, *, anonymous: bool = False) -> AsyncIterator[Client]:
    """Yield a client of the registry that a call means; raises Failure, InvalidSetting and KeyFileError.

    What signs for itself needs no session: it goes as nobody unless a key is named.
    """
    settings = settings_of(args)
    stack_url: str | None = None
    with contextlib.suppress(Failure):
        stack_url = running_stack(settings).get("url")
    url = settings.url or stack_url
    if url is None:
        running_stack(settings)
        raise Failure("not_running", f"the stack on {settings.data} has no api yet")
    named = args.key or os.environ.get(KEY_VARIABLE)
    key = None if anonymous and not named else _key(args, settings, stack_url)
    async with Client(url, key, feed_origin=settings.feed_origin) as client:
        yield client


def signed_in(client: Client) -> SigningKey:
    """Give the key that a client signs as; raises Failure."""
    if client.key is None:
        raise Failure("no_key", f"this needs a key: name one with --as or {KEY_VARIABLE}")
    return client.key


def services(args: argparse.Namespace, *, postgres: bool = True) -> Settings:
    """Give settings that say where broker and database are: as set, or as the data directory's stack has them."""
    settings = settings_of(args)
    if settings.kafka is not None and (settings.postgres is not None or not postgres):
        return settings
    stack = running_stack(settings)
    kafka, database = settings.kafka or stack.get("kafka"), settings.postgres or stack.get("postgres")
    if not kafka or not database:
        raise Failure("not_running", f"the stack on {settings.data} has no broker or no database yet")
    return settings.with_services(str(kafka), str(database))
