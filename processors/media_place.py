"""Where media lie: a folder of the local disk, or a bucket of an S3-compatible store."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
SEALED: Final = "media"
INCOMING: Final = "incoming"
FORMS: Final = "is file:///folder or s3://bucket[/prefix][?endpoint=URL&region=NAME]"


class InvalidStorage(ValueError):
    """A storage that can't be used; the message never repeats its URL."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket or a prefix in one. What opens it, and what is absent here, comes from the ``AWS_*`` variables."""

    name: str
    prefix: str | None = None
    endpoint: str | None = None
    region: str | None = None

    @property
    def in_clear(self) -> bool:
        """Tell whether its endpoint is asked without TLS, which only an endpoint that says so is."""
        return self.endpoint is not None and self.endpoint.startswith("http://")


def read_place(url: str, environment: Mapping[str, str] = os.environ) -> Path | Bucket:
    """Read a storage's URL. Raises InvalidStorage, whose message follows the name of the setting."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise InvalidStorage(FORMS) from None
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/") and not parts.query:
        return Path(parts.path)
    if parts.scheme != "s3" or not host:
        raise InvalidStorage(FORMS)
    if "@" in parts.netloc or ":" in parts.netloc:
        raise InvalidStorage("has no credentials in it: those come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not options.keys() <= {"endpoint", "region"} or not all(options.values()):
        raise InvalidStorage(FORMS)
    endpoint = options.get("endpoint") or next(filter(None, map(environment.get, ENDPOINT_VARIABLES)), None)
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise InvalidStorage("has an endpoint that starts with http:// or https://")
    return Bucket(parts.netloc, parts.path.strip("/") or None, endpoint, options.get("region"))


def sealed_path(media_id: str) -> str:
    """Name the object that holds a whole file, sealed with its owner's key."""
    return f"{SEALED}/{media_id}"


def incoming_path(media_id: str) -> str:
    """Name the object that whoever has a presigned URL writes: it lies there in clear until it is finalized or goes."""
    return f"{INCOMING}/{media_id}"
