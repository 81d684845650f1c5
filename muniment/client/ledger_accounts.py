"""Accounts, as their owners read them and admins freeze them."""

from collections.abc import AsyncIterator

from muniment.client.ledger_shapes import Account, Freezing, StatementLine
from muniment.client.noun import Noun, path_of
from muniment.client.pages import pages


class Accounts(Noun):
    """What owners have in registries."""

    async def get(self, account_id: str, *, as_of: str | None = None, min_position: str | None = None) -> Account:
        """Show an account, as it stood at a position's token or an RFC 3339 time where one is named.

        Raises NotFound, Forbidden.
        """
        query = {"as_of": as_of, "min_position": min_position}
        answer = await self._transport.read(path_of("accounts", account_id), query, fresh=as_of is None)
        return Account.read(answer.json, answer)

    async def statement(
        self, account_id: str, *, page_size: int = 100, min_position: str | None = None
    ) -> AsyncIterator[StatementLine]:
        """Give what came to an account and left it, newest first. Raises NotFound, Forbidden."""
        query = {"limit": page_size, "min_position": min_position}
        async for found, answer in pages(self._transport, path_of("accounts", account_id, "statement"), query):
            yield StatementLine.read(found, answer)

    async def freeze(self, account_id: str, *, idempotency_key: str | None = None) -> Freezing:
        """Let an account neither send nor receive, as an admin."""
        return await self._change(account_id, "freeze", idempotency_key)

    async def unfreeze(self, account_id: str, *, idempotency_key: str | None = None) -> Freezing:
        """Let a frozen account send and receive again, as an admin."""
        return await self._change(account_id, "unfreeze", idempotency_key)

    async def _change(self, account_id: str, verb: str, idempotency_key: str | None) -> Freezing:
        answer = await self._post(path_of("accounts", account_id, verb), {}, idempotency_key)
        return Freezing.read(answer.json, answer)
