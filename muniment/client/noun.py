"""What the client's nouns have in common: the way to the registry, and the key that signs."""

from typing import Any
from urllib.parse import quote

from muniment.client.transport import Answer, Transport
from muniment.signing_key import SigningKey


class Noun:
    """One noun of a registry, spoken to over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def _key(self) -> SigningKey:
        if self._transport.key is None:
            raise ValueError("a client without a key signs nothing")
        return self._transport.key

    async def _post(self, path: str, body: Any, idempotency_key: str | None) -> Answer:
        return await self._transport.write("POST", path, body, idempotency_key=idempotency_key)

    async def _order(self, path: str, signed: Any, idempotency_key: str | None) -> Answer:
        """Send what an owner signed under a nonce: it is its own idempotency key unless another is given."""
        return await self._transport.write("POST", path, signed, idempotency_key=idempotency_key, own_key=True)


def path_of(folder: str, name: str, *rest: str) -> str:
    """Write the path of one thing, whatever its name holds."""
    return "/".join((f"/{folder}", quote(name, safe=""), *rest))


def given(**members: Any) -> dict[str, Any]:
    """Give the members of a body that are there."""
    return {name: value for name, value in members.items() if value is not None}
