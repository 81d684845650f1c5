"""Every setting of a process: one table, read from flags and, where one is absent, from ``MUNIMENT_*`` variables."""

import difflib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from muniment import setting_values
from muniment.chain_settings import ChainSettings
from muniment.setting_values import setting

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
DEFAULT_AUDIT_EVERY_S: Final = 60
MAX_AUDIT_EVERY_S: Final = 3_600
DEFAULT_EVENT_READERS: Final = 2_000
MAX_EVENT_READERS: Final = 100_000
DEFAULT_RECORDS: Final = 1_000_000
MAX_RECORDS: Final = 10**12
DEFAULT_RECORD_BYTES: Final = 1 << 30
MAX_RECORD_BYTES: Final = 1 << 50
DEFAULT_SERVICE_KEY_DAYS: Final = 30
MAX_SERVICE_KEY_DAYS: Final = 3_650
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ChainSettings):
    """What the processes are run with. Each field is a flag ``--like-this`` and a variable ``MUNIMENT_LIKE_THIS``."""

    data: Path = setting(  # noqa: RUF009 - it gives a field, as dataclasses.field does
        DEFAULT_DATA,
        "The data directory: keys, and the state that can be rebuilt from the log.",
        read=Path,
        metavar="DIR",
    )
    url: str | None = setting(
        None, "Where the api of a running registry answers.", read=setting_values.url, metavar="URL"
    )
    host: str = setting(DEFAULT_HOST, "The address that the api listens on.", metavar="HOST")
    port: int = setting(DEFAULT_PORT, "The port that the api listens on.", read=setting_values.port, metavar="PORT")
    kafka: str | None = setting(
        None,
        "The broker: `host:port[,host:port]` or `kafka[+sasl][+ssl]://[user:password@]host:port[?mechanism=&cafile=…]`"
        "; `up` starts its own when this is absent.",
        metavar="ADDRESS",
        secret=True,
    )
    postgres: str | None = setting(
        None,
        "PostgreSQL, as a connection string; `up` starts its own when this is absent.",
        metavar="DSN",
        secret=True,
    )
    partitions: int = setting(
        DEFAULT_PARTITIONS,
        "How many partitions a topic gets when it is created; later ones follow the log.",
        read=setting_values.up_to(MAX_PARTITIONS),
        metavar="N",
    )
    replication: int = setting(
        1,
        "On how many brokers a topic lies when it is created; 3 in production, where the cluster has as many.",
        read=setting_values.up_to(MAX_REPLICATION),
        metavar="N",
    )
    rate_limits: str = setting("default", "`off`, `default`, or a JSON file of tiers.", metavar="off|default|FILE")
    issuer: str | None = setting(
        None,
        "The issuer that sessions name; by default the URL that the api is reached by.",
        read=setting_values.url,
        metavar="URL",
    )
    key_set: str | None = setting(
        None,
        "Where the gateway fetches the keys that sessions are checked by; by default `ISSUER/.well-known/jwks.json`.",
        read=setting_values.url,
        metavar="URL",
    )
    feed_origin: str = setting(
        DEFAULT_FEED_ORIGIN, "The origin of the playlists that the feed shows.", metavar="ORIGIN"
    )
    first_frame: str = setting(
        DEFAULT_FRAME,
        "The sovereign frame that `up` opens on an empty ledger; `none` for none.",
        read=setting_values.frame,
        metavar="FRAME",
    )
    transfer_timeout: int = setting(
        DEFAULT_TRANSFER_TIMEOUT_S,
        "Seconds until a transfer across registries that nobody accepted is given up.",
        read=setting_values.up_to(MAX_TRANSFER_TIMEOUT_S),
        metavar="SECONDS",
    )
    audit_every: int = setting(
        DEFAULT_AUDIT_EVERY_S,
        "Seconds from one run of the ledger's auditors, which are tasks of the leading reactor, to the next.",
        read=setting_values.up_to(MAX_AUDIT_EVERY_S),
        metavar="SECONDS",
    )
    event_readers: int = setting(
        DEFAULT_EVENT_READERS,
        "How many readers of the event stream an api process takes at once.",
        read=setting_values.up_to(MAX_EVENT_READERS),
        metavar="N",
    )
    subject_types: tuple[str, ...] = setting(
        SUBJECT_TYPES,
        "The types of subjects that facts may be about, separated by commas.",
        read=setting_values.words,
        metavar="TYPES",
    )
    webhook_targets: Literal["public", "any"] = setting(
        "public",
        "`public`: webhooks go to public addresses only; `any`: to this host and private networks too.",
        read=setting_values.webhook_targets,
        metavar="public|any",
    )
    registry: str | None = setting(
        None,
        "For `muniment feed`: where the registry is that the feed follows.",
        read=setting_values.url,
        metavar="URL",
    )
    hook_secret: str | None = setting(
        None,
        "The secret by which `POST /registry-hook` checks what a registry sends; without it the hook is closed.",
        secret=True,
    )
    webhook_key: str | None = setting(
        None,
        "The key that seals webhook secrets on the log: 32 bytes in base64; by default `DIR/keys/webhook.key`.",
        secret=True,
    )
    vault_key: str | None = setting(
        None,
        "The key that wraps the keys of vaults: 32 bytes in base64; by default `DIR/keys/vault.key`.",
        secret=True,
    )
    records_per_owner: int = setting(
        DEFAULT_RECORDS,
        "How many records a vault holds at most.",
        read=setting_values.up_to(MAX_RECORDS),
        metavar="N",
    )
    record_bytes_per_owner: int = setting(
        DEFAULT_RECORD_BYTES,
        "How many bytes the values in a vault have at most, as RFC 8785 writes them.",
        read=setting_values.up_to(MAX_RECORD_BYTES),
        metavar="BYTES",
    )
    service_key: str | None = setting(
        None,
        "The key that signs sessions: an Ed25519 seed, 32 bytes in base64; behind a comma those that were before it. "
        "By default `DIR/keys/service-*.json`, which rotate by themselves.",
        secret=True,
    )
    service_key_days: int = setting(
        DEFAULT_SERVICE_KEY_DAYS,
        "How old in days a service key is when the leading reactor makes the next one, in its data directory.",
        read=setting_values.up_to(MAX_SERVICE_KEY_DAYS),
        metavar="DAYS",
    )
    name: str | None = setting(
        None,
        "This process's name, its own among all that share a log; by default its role and the host's name. "
        "Its state lies under `DIR/state/NAME`, by default `DIR/state/ROLE`.",
        read=setting_values.name,
        metavar="NAME",
    )
    metrics_port: int | None = setting(
        None, "A port for this process's Prometheus metrics, at `/metrics`.", read=setting_values.port, metavar="PORT"
    )
    log_level: str = setting(
        "info", "`debug`, `info`, `warning` or `error`.", read=setting_values.level, metavar="LEVEL"
    )

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
        given = {row: getattr(self, row.name) for row in TABLE}
        return {
            row.variable: ",".join(value) if isinstance(value, tuple) else str(value)
            for row, value in given.items()
            if value != row.default
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
BY_NAME: Final[Mapping[str, Setting]] = {row.name: row for row in TABLE}


def _value(row: Setting, given: str, source: str) -> Any:
    try:
        return row.read(given)
    except ValueError as error:
        shown = "" if row.secret else f" {given!r}:"
        raise InvalidSetting(f"{source}{shown} the value {error}") from None


def read_settings(flags: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from flags by field name, then from variables; an empty variable counts as absent.

    Raises InvalidSetting.
    """
    found: dict[str, Any] = {}
    for row in TABLE:
        if (flag := flags.get(row.name)) is not None:
            found[row.name] = _value(row, str(flag), row.flag or row.name)
        elif variable := environment.get(row.variable):
            found[row.name] = _value(row, variable, row.variable)
    return Settings(**found)


def unknown_variables(environment: Mapping[str, str] = os.environ) -> Mapping[str, str | None]:
    """Give the ``MUNIMENT_*`` variables that nothing reads, each with the name that may have been meant."""
    known = [*(row.variable for row in TABLE), *OTHER_VARIABLES]
    return {
        name: next(iter(difflib.get_close_matches(name, known, 1)), None)
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    }
