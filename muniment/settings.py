"""Every setting of a process: one table, read from flags and, where one is absent, from ``MUNIMENT_*`` variables."""

import difflib
import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

PREFIX: Final = "MUNIMENT_"
DEFAULT_DATA: Final = Path(".muniment")
DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8080
DEFAULT_PARTITIONS: Final = 4
MAX_PARTITIONS: Final = 1000
MAX_REPLICATION: Final = 9
DEFAULT_FEED_ORIGIN: Final = "feed.ff"
DEFAULT_FRAME: Final = "local"
NO_FRAME: Final = "none"
DEFAULT_TRANSFER_TIMEOUT_S: Final = 60
MAX_TRANSFER_TIMEOUT_S: Final = 86_400
SUBJECT_TYPES: Final = ("playlist", "asset", "device", "user")

OTHER_VARIABLES: Final[Mapping[str, str]] = {
    "MUNIMENT_CACHE": "Where the jars of the embedded broker are kept; by default the user's cache folder.",
    "MUNIMENT_KEY": "The signing key's file that a command line verb signs as, like `--as`.",
    "MUNIMENT_TEST_SERVICES": "For the tests: JSON with `kafka` and `postgres`, where services run already.",
}
"""Variables that are read elsewhere than in this table."""


class InvalidSetting(ValueError):
    """A setting whose value can't be used; the message names it and never repeats a secret."""

    code = "invalid_setting"


def _text(given: str) -> str:
    if not given:
        raise ValueError("is empty")
    return given


def _port(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given) <= 65_535:
        raise ValueError("is a number from 1 to 65535")
    return int(given)


def _up_to(most: int) -> Callable[[str], int]:
    def read(given: str) -> int:
        if not given.isdecimal() or not 1 <= int(given) <= most:
            raise ValueError(f"is a number from 1 to {most}")
        return int(given)

    return read


def _url(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is a URL that starts with http:// or https://")
    return given.rstrip("/")


def _targets(given: str) -> str:
    if given not in {"public", "any"}:
        raise ValueError("is public or any")
    return given


def _words(given: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in given.split(","))
    if not all(words):
        raise ValueError("is words separated by commas")
    return words


def _name(given: str) -> str:
    if not given or len(given) > 128 or not all(each.isalnum() or each in "._-" for each in given):
        raise ValueError("is up to 128 letters, digits, dots, dashes and underscores")
    return given


def _frame(given: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", given) is None:
        raise ValueError("is up to 63 small letters, digits and dashes")
    return given


def _level(given: str) -> str:
    if given not in {"debug", "info", "warning", "error"}:
        raise ValueError("is debug, info, warning or error")
    return given


def _setting(
    default: Any, doc: str, *, read: Callable[[str], Any] = _text, secret: bool = False, metavar: str | None = None
) -> Any:
    """Describe one setting; without a ``metavar`` it has no flag, because every user of a machine sees its flags."""
    return field(default=default, repr=not secret, metadata={"doc": doc, "read": read, "secret": secret, "of": metavar})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the processes are run with. Each field is a flag ``--like-this`` and a variable ``MUNIMENT_LIKE_THIS``."""

    data: Path = _setting(  # noqa: RUF009 - it gives a field, as dataclasses.field does
        DEFAULT_DATA,
        "The data directory: keys, and the state that can be rebuilt from the log.",
        read=Path,
        metavar="DIR",
    )
    url: str | None = _setting(None, "Where the api of a running registry answers.", read=_url, metavar="URL")
    host: str = _setting(DEFAULT_HOST, "The address that the api listens on.", metavar="HOST")
    port: int = _setting(DEFAULT_PORT, "The port that the api listens on.", read=_port, metavar="PORT")
    kafka: str | None = _setting(
        None,
        "The broker: `host:port[,host:port]` or `kafka[+sasl][+ssl]://[user:password@]host:port[?mechanism=&cafile=…]`"
        "; `up` starts its own when this is absent.",
        metavar="ADDRESS",
        secret=True,
    )
    postgres: str | None = _setting(
        None,
        "PostgreSQL, as a connection string; `up` starts its own when this is absent.",
        metavar="DSN",
        secret=True,
    )
    partitions: int = _setting(
        DEFAULT_PARTITIONS,
        "How many partitions a topic gets when it is created; later ones follow the log.",
        read=_up_to(MAX_PARTITIONS),
        metavar="N",
    )
    replication: int = _setting(
        1,
        "On how many brokers a topic lies when it is created; 3 in production, where the cluster has as many.",
        read=_up_to(MAX_REPLICATION),
        metavar="N",
    )
    rate_limits: str = _setting("default", "`off`, `default`, or a JSON file of tiers.", metavar="off|default|FILE")
    issuer: str | None = _setting(
        None, "The issuer that sessions name; by default the URL that the api is reached by.", read=_url, metavar="URL"
    )
    feed_origin: str = _setting(
        DEFAULT_FEED_ORIGIN, "The origin of the playlists that the feed shows.", metavar="ORIGIN"
    )
    first_frame: str = _setting(
        DEFAULT_FRAME,
        "The sovereign frame that `up` opens on an empty ledger; `none` for none.",
        read=_frame,
        metavar="FRAME",
    )
    transfer_timeout: int = _setting(
        DEFAULT_TRANSFER_TIMEOUT_S,
        "Seconds until a transfer across registries that nobody accepted is given up.",
        read=_up_to(MAX_TRANSFER_TIMEOUT_S),
        metavar="SECONDS",
    )
    subject_types: tuple[str, ...] = _setting(
        SUBJECT_TYPES,
        "The types of subjects that facts may be about, separated by commas.",
        read=_words,
        metavar="TYPES",
    )
    webhook_targets: Literal["public", "any"] = _setting(
        "public",
        "`public`: webhooks go to public addresses only; `any`: to this host and private networks too.",
        read=_targets,
        metavar="public|any",
    )
    registry: str | None = _setting(
        None, "For `muniment feed`: where the registry is that the feed follows.", read=_url, metavar="URL"
    )
    hook_secret: str | None = _setting(
        None,
        "The secret by which `POST /registry-hook` checks what a registry sends; without it the hook is closed.",
        secret=True,
    )
    webhook_key: str | None = _setting(
        None,
        "The key that seals webhook secrets on the log: 32 bytes in base64; by default `DIR/keys/webhook.key`.",
        secret=True,
    )
    service_key: str | None = _setting(
        None,
        "The key that signs sessions: an Ed25519 seed, 32 bytes in base64; by default `DIR/keys/service-*.json`.",
        secret=True,
    )
    name: str | None = _setting(
        None,
        "This process's name, its own among all that share a log; by default its role and the host's name. "
        "Its state lies under `DIR/state/NAME`, by default `DIR/state/ROLE`.",
        read=_name,
        metavar="NAME",
    )
    metrics_port: int | None = _setting(
        None, "A port for this process's Prometheus metrics, at `/metrics`.", read=_port, metavar="PORT"
    )
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`.", read=_level, metavar="LEVEL")

    def process_name(self, role: str) -> str:
        """Name this process among all that share a log."""
        return self.name or f"{role}-{socket.gethostname()}"

    def state(self, role: str) -> Path:
        """Give the folder of this process's state, which can be rebuilt from the log."""
        return self.data / "state" / (self.name or role)

    def with_services(self, kafka: str, postgres: str) -> "Settings":
        """Give the same settings with the addresses of broker and database."""
        return replace(self, kafka=kafka, postgres=postgres)

    def environment(self) -> dict[str, str]:
        """Give the variables that make another process read these settings."""
        given = {setting: getattr(self, setting.name) for setting in TABLE}
        return {
            setting.variable: ",".join(value) if isinstance(value, tuple) else str(value)
            for setting, value in given.items()
            if value != setting.default
        }

    @property
    def keys(self) -> Path:
        """Give the folder of the service's own keys."""
        return self.data / "keys"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    doc: str
    default: Any
    secret: bool
    read: Callable[[str], Any]
    metavar: str | None

    @property
    def variable(self) -> str:
        """Name its environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str | None:
        """Name its flag, if it has one."""
        return None if self.metavar is None else "--" + self.name.replace("_", "-")


TABLE: Final[Sequence[Setting]] = tuple(
    Setting(
        each.name,
        each.metadata["doc"],
        each.default,
        each.metadata["secret"],
        each.metadata["read"],
        each.metadata["of"],
    )
    for each in fields(Settings)
)
BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in TABLE}


def _value(setting: Setting, given: str, source: str) -> Any:
    try:
        return setting.read(given)
    except ValueError as error:
        shown = "" if setting.secret else f" {given!r}:"
        raise InvalidSetting(f"{source}{shown} the value {error}") from None


def read_settings(flags: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from flags by field name, then from variables; an empty variable counts as absent.

    Raises InvalidSetting.
    """
    found: dict[str, Any] = {}
    for setting in TABLE:
        if (flag := flags.get(setting.name)) is not None:
            found[setting.name] = _value(setting, str(flag), setting.flag or setting.name)
        elif variable := environment.get(setting.variable):
            found[setting.name] = _value(setting, variable, setting.variable)
    return Settings(**found)


def unknown_variables(environment: Mapping[str, str] = os.environ) -> Mapping[str, str | None]:
    """Give the ``MUNIMENT_*`` variables that nothing reads, each with the name that may have been meant."""
    known = [*(setting.variable for setting in TABLE), *OTHER_VARIABLES]
    return {
        name: next(iter(difflib.get_close_matches(name, known, 1)), None)
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    }
