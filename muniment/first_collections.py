"""The collections that `up` brings: each that has no schema yet gets its first; what an admin put since then stays."""

from collections.abc import Sequence

from domain.records.built_in import BUILT_IN
from muniment.client.refusals import NotFound
from muniment.client.transport import Transport
from muniment.signing_key import SigningKey


async def bring_collections(url: str, key: SigningKey, *, timeout_s: float, issuer: str | None) -> Sequence[str]:
    """Put the schemas that are missing, as an admin, and name them. Raises Refused, Unreachable."""
    brought = []
    transport = Transport(url, key, timeout_s=timeout_s, issuer=issuer)
    await transport.open()
    try:
        for name, schema in BUILT_IN.items():
            try:
                await transport.call("GET", f"/schemas/{name}")
            except NotFound:
                await transport.write("PUT", f"/schemas/{name}", {"schema": schema})
                brought.append(name)
    finally:
        await transport.close()
    return brought
