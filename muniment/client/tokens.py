"""Tokens of a registry's sessions, as another service checks those that it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from domain.json_value import JsonValue
from log.jwks import KEY_SET_PATH, KeySet, KeysUnavailable
from muniment.client.refusals import ClientError, Unauthenticated, Unreachable
from muniment.client.transport import Transport

VERIFY_TIMEOUT_S: Final = 5.0


class InvalidToken(ClientError):
    """The token is none of the registry's, or not for now; why is nobody's business but the registry's."""


@dataclass(frozen=True, slots=True)
class Session:
    """Whose session a token is, with the roles that it was given; ``expires_at`` in seconds since 1970 UTC."""

    did: str
    roles: frozenset[str]
    expires_at: int
    claims: Mapping[str, Any] = field(repr=False)


class TokenVerifier:
    """Checks tokens of one registry: ``async with TokenVerifier(url) as tokens: session = await tokens.verify(token)``.

    Its keys are fetched, kept, and fetched anew for one that isn't known, at most every five seconds. ``issuer`` is
    what the registry names itself, where that isn't its URL. Where a call has to ask it takes at most ``timeout_s``.
    """

    def __init__(self, url: str, *, issuer: str | None = None, timeout_s: float = VERIFY_TIMEOUT_S) -> None:
        self._transport = Transport(url, None, timeout_s=timeout_s, issuer=None)
        self._keys = KeySet(issuer or self._transport.url, self._fetch)

    async def __aenter__(self) -> Self:
        """Take connections."""
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of them."""
        await self._transport.close()

    async def verify(self, token: str, *, ask: bool = False) -> Session:
        """Say whose session a token is, by the registry's keys: EdDSA, issuer, audience, time and ``kid`` are checked.

        No token says that its session was ended before its time: with ``ask`` the registry is asked, each time.
        Raises InvalidToken and Unreachable.
        """
        try:
            claims = await self._keys.admit(token)
        except KeysUnavailable as error:
            raise Unreachable(f"{self._transport.url}: {error}") from None
        if claims is None or (ask and not await self._stands(token)):
            raise InvalidToken("the token is no session of this registry")
        return Session(claims.did, claims.roles, claims.expires_at, claims.all)

    async def _stands(self, token: str) -> bool:
        try:
            await self._transport.call("GET", "/auth/session", headers={"Authorization": f"Bearer {token}"})
        except Unauthenticated:
            return False
        return True

    async def _fetch(self) -> JsonValue:
        try:
            found: JsonValue = (await self._transport.call("GET", KEY_SET_PATH)).json
        except ClientError as error:
            raise ConnectionError(str(error)) from error
        return found
