"""Verbs that run something small beside a registry: a receiver of its webhooks, and a feed of its own."""

import argparse
import signal
import threading
from pathlib import Path
from typing import Final

from muniment.cli_given import secret_in
from muniment.cli_options import Verbs, add_settings, add_verb, settings_of
from muniment.cli_outcome import Failure
from muniment.cli_output import print_json, shown
from muniment.listening import Heard, Listener, server
from muniment.settings import DEFAULT_DATA, DEFAULT_PORT

HOST: Final = "127.0.0.1"
FEED_SETTINGS: Final = (
    "registry",
    "data",
    "host",
    "port",
    "kafka",
    "issuer",
    "feed_origin",
    "rate_limits",
    "log_level",
)


def add_listen(webhooks: Verbs) -> None:
    """Add ``webhooks listen``."""
    listen = add_verb(webhooks, "listen", _listen, "receive webhooks and print each one, verified; for trying them out")
    listen.add_argument("--port", type=int, default=9000, metavar="PORT", help="the port to listen on [9000]")
    listen.add_argument("--host", default=HOST, metavar="HOST", help=f"the address to listen on [{HOST}]")
    listen.add_argument("--secret-file", type=Path, metavar="FILE", help="a file with the endpoint's secret, whsec_…")


def add_verbs(verbs: Verbs) -> None:
    """Add ``feed``."""
    feed = add_verb(verbs, "feed", _feed, "run a feed that knows its registry by webhook and delta feed alone")
    add_settings(feed, FEED_SETTINGS)
    feed.add_argument("--as", dest="key", type=Path, metavar="FILE", help="an admin's key: the feed registers its hook")
    feed.add_argument("--public-url", metavar="URL", help="where the registry reaches this feed [its own address]")


def _listen(args: argparse.Namespace) -> None:
    def tell(heard: Heard) -> None:
        if args.json:
            found = {"verified": heard.verified, "repeated": heard.repeated, "missing": heard.missing}
            print_json({**found, "id": heard.headers.get("webhook-id"), "body": heard.body})
        else:
            print(_line(heard), flush=True)

    try:
        receiver = server(args.host, args.port, Listener(secret_in(args.secret_file), tell))
    except (OSError, OverflowError):
        raise Failure("port_in_use", f"port {args.port} on {args.host} can't be listened on") from None
    for number in (signal.SIGINT, signal.SIGTERM):
        # shutdown waits for the loop that this signal interrupts, so another thread has to ask for it.
        signal.signal(number, lambda *_: threading.Thread(target=receiver.shutdown).start())
    if not args.json:
        print(f"listening on http://{args.host}:{receiver.server_address[1]}", flush=True)
    with receiver:
        receiver.serve_forever()


def _line(heard: Heard) -> str:
    if heard.body is None:
        return "refused: the signature does not hold"
    body = heard.body
    about = body.get("subject", {})
    words = [body.get("sequence"), body.get("status"), body.get("kind"), about.get("ref"), "by", body.get("issuer_did")]
    notes = [
        "verified" if heard.verified else "not verified",
        *(["again"] if heard.repeated else []),
        *([f"{heard.missing} missing before it"] if heard.missing else []),
    ]
    return " ".join(map(shown, words)) + f" ({', '.join(notes)})"


def _feed(args: argparse.Namespace) -> int:
    from muniment import feed  # noqa: PLC0415 - the other verbs start faster without it
    from muniment.journal import keep_journal  # noqa: PLC0415 - as above

    settings = settings_of(args)
    if settings.registry is None:
        raise Failure("wrong_usage", "--registry (MUNIMENT_REGISTRY) says which registry to follow", status=2)
    keep_journal("feed", settings.log_level)
    return feed.run(
        feed.FeedSettings(
            registry=settings.registry,
            data=feed.DEFAULT_DATA if settings.data == DEFAULT_DATA else settings.data,
            host=settings.host,
            port=feed.DEFAULT_PORT if settings.port == DEFAULT_PORT else settings.port,
            kafka=settings.kafka,
            secret=settings.hook_secret,
            signing_key=args.key,
            public_url=args.public_url,
            issuer=settings.issuer,
            origin=settings.feed_origin,
            rate_limits=settings.rate_limits,
        )
    )
