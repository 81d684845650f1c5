"""The storages that tests of media run on: the local disk, and a server that speaks the S3 API."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from processors.media_place import Bucket
from processors.media_storage import MediaStorage, open_storage
from tests.media.s3_server import BUCKET, CREDENTIALS, Proxy, proxied, s3_server

PREFIXES = itertools.count()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Run one S3 server for the whole run."""
    with s3_server() as url:
        yield url


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what opens the bucket in the environment, and nothing else of the kind."""
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def proxy(s3_url: str) -> AsyncIterator[Proxy]:
    """Stand between the storage and the S3 server."""
    async with proxied(s3_url) as found:
        yield found


@pytest.fixture(params=["local disk", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStorage:
    """Give an empty storage of each kind."""
    if request.param == "local disk":
        return open_storage(tmp_path / "media")
    request.getfixturevalue("credentials")
    return open_storage(Bucket(BUCKET, f"at/{next(PREFIXES)}", request.getfixturevalue("s3_url")))
