"""The client: one registry, as one key or as nobody."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from muniment.client.events import Events
from muniment.client.facts import Facts
from muniment.client.gateway import Feeds, Profiles, Search
from muniment.client.identity import Identity
from muniment.client.ledger import Ledger
from muniment.client.media import MediaFiles
from muniment.client.noun import path_of
from muniment.client.nouns import Commands, Playlists, Signers, Webhooks
from muniment.client.publishing import Publishing
from muniment.client.record_shapes import Erasure
from muniment.client.records import Records, Schemas
from muniment.client.shapes import Health
from muniment.client.transport import DEFAULT_TIMEOUT_S, Transport
from muniment.signing_key import SigningKey


class Client:
    """Talks to one registry: ``async with Client(url, key) as registry: await registry.facts.star("playlist-1")``.

    With a key it signs in by itself. A call takes at most ``timeout_s``: connection errors and the statuses 429, 502,
    503 and 504 are tried again in it, writes under the same idempotency key. Reads see what this client wrote. Calls
    raise `Refused`, `Unreachable` and `UnexpectedAnswer`. ``issuer`` is what the registry's sessions must be issued by.
    Files go to the registry's own origin, to https, and to ``upload_origins``.
    """

    def __init__(
        self,
        url: str,
        key: SigningKey | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        issuer: str | None = None,
        feed_origin: str = "feed.ff",
        upload_origins: Sequence[str] = (),
    ) -> None:
        self._transport = Transport(url, key, timeout_s=timeout_s, issuer=issuer)
        self.url, self.key = self._transport.url, key
        self.facts = Facts(self._transport, feed_origin)
        self.signers = Signers(self._transport)
        self.webhooks = Webhooks(self._transport)
        self.playlists = Playlists(self._transport)
        self.commands = Commands(self._transport)
        self.identity = Identity(self._transport)
        self.ledger = Ledger(self._transport)
        self.events = Events(self._transport)
        self.feeds = Feeds(self._transport)
        self.profiles = Profiles(self._transport)
        self.search = Search(self._transport)
        self.records = Records(self._transport)
        self.schemas = Schemas(self._transport)
        self.publishing = Publishing(self._transport)
        self.media = MediaFiles(self._transport, upload_origins)

    async def __aenter__(self) -> Self:
        """Take connections."""
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of them."""
        await self._transport.close()

    @property
    def position(self) -> str | None:
        """Give the token of everything that this client wrote."""
        return self._transport.written

    async def logout(self) -> None:
        """End this client's session, with every token that it was given; the next call opens another.

        Raises Refused and Unreachable: then it may still last, as long as its token does.
        """
        await self._transport.sign_out()

    async def erase(self, did: str, *, idempotency_key: str | None = None) -> Erasure:
        """Have every record and file of a DID erased, as its owner: nobody reads them again. Raises Erased."""
        answer = await self._transport.write(
            "POST", path_of("dids", did, "erase"), {"confirm": did}, idempotency_key=idempotency_key
        )
        return Erasure.read(answer.json, answer)

    async def health(self) -> Health:
        """Ask how the registry is; an operator is told more. A registry that can't serve is an answer too."""
        answer = await self._transport.call("GET", "/health")
        return replace(Health.read(answer.json, answer), serving=answer.status == 200)

    async def metrics(self) -> str:
        """Give the api's metrics in Prometheus's text format."""
        return (await self._transport.call("GET", "/metrics")).text

    async def openapi(self) -> Mapping[str, Any]:
        """Give the registry's OpenAPI 3.1 document."""
        found: Mapping[str, Any] = (await self._transport.call("GET", "/openapi.json")).json
        return found
