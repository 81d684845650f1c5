"""A frame with two registries and people who have accounts, over HTTP."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muniment.signing_key import SigningKey
from tests.api.serving import Answer, Registry, key

FRAME = "town"
LATER = "2099-01-01T00:00:00.000Z"
GRANT = 1_000_000_000
numbers = itertools.count(1)


def nonce() -> str:
    """Make a nonce that no other has."""
    return f"nonce-{next(numbers):016}"


@dataclass
class Economy:
    """What a test of the ledger asks."""

    registry: Registry
    tasks: Any = None

    async def open(self) -> None:
        """Open the frame and its registries, ``shop`` and ``mall``."""
        await self.admin("POST", "/frames", {"frame_id": FRAME, "mode": "sovereign", "minting": "enabled"}, 201)
        for name in ("shop", "mall"):
            await self.admin("POST", f"/frames/{FRAME}/registries", {"registry_id": name}, 201)

    async def admin(self, method: str, path: str, body: Any, status: int) -> Any:
        """Ask as the operator and expect a status."""
        answer = await self.registry.ask(method, path, body, by=self.registry.operator)
        assert answer.status == status, answer.text
        return answer.json

    async def person(self, number: int, registry: str = "shop") -> tuple[SigningKey, str]:
        """Register a developer and give its key and its account."""
        made = key(number)
        body = {"did": made.did, "name": f"person {number}"}
        answer = await self.registry.ask("POST", f"/registries/{registry}/developers", body, by=made)
        assert answer.status == 201, answer.text
        return made, answer.json["account_id"]

    async def pay(
        self,
        by: SigningKey,
        sender: str,
        to: str,
        amount: int,
        *,
        caller: SigningKey | None = None,
        spoiled: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Send a transfer, as another caller or with members that weren't signed."""
        body = by.sign_transfer(sender, to, amount, nonce=nonce(), deadline=LATER) | dict(spoiled or {})
        return await self.registry.ask("POST", "/transfers", body, by=caller or by)
