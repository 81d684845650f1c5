"""Verbs on the keys that sign sessions."""

import argparse
import json
from datetime import UTC, datetime

from muniment.cli_options import Verbs, add_noun, add_verb, settings_of
from muniment.cli_outcome import Failure


def add_verbs(verbs: Verbs) -> None:
    """Add ``keys`` and its verbs."""
    keys = add_noun(verbs, "keys", "keep the keys that sign sessions")
    rotate = add_verb(
        keys,
        "rotate",
        _rotate,
        "make the next key that signs sessions; both are accepted meanwhile",
        settings=("data",),
    )
    rotate.add_argument(
        "--take-back",
        action="store_true",
        help="take back the keys before it at once, because one was stolen: every session ends",
    )


def _rotate(args: argparse.Namespace) -> None:
    from api.service_key_files import rotate  # noqa: PLC0415 - the other verbs start faster without it
    from api.service_keys import OVERLAP_S, SIGNS_AFTER_S, InvalidServiceKey  # noqa: PLC0415 - as above

    settings = settings_of(args)
    if settings.service_key is not None:
        detail = "MUNIMENT_SERVICE_KEY holds the keys: set the new one before the old, separated by a comma"
        raise Failure("service_key_set", detail)
    try:
        made, rotated = rotate(settings.keys, take_back=args.take_back)
    except InvalidServiceKey as error:
        raise Failure("no_service_key", str(error)) from None
    except OSError as error:
        raise Failure("service_key_unwritable", f"{settings.keys}: {error.strerror}") from None
    signs_from = made.made_at if args.take_back else made.made_at + SIGNS_AFTER_S
    until = None if args.take_back else _moment(made.made_at + OVERLAP_S)
    taken = [key.kid for key in rotated.retired]
    if args.json:
        print(
            json.dumps({"kid": made.kid, "signs_from": _moment(signs_from), "overlap_until": until, "retired": taken})
        )
        return
    print(f"{made.kid} signs from {_moment(signs_from)}")
    if until is not None:
        print(f"the key before it is accepted until {until}")
    for kid in taken:
        print(f"{kid} is taken away")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
