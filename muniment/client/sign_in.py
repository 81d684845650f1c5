"""Signing in: a nonce signed by the client's key becomes a session, refreshed before it runs out."""

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from muniment.client.refusals import RateLimited, Refused, Unavailable, UnexpectedAnswer
from muniment.signing_key import SigningKey

if TYPE_CHECKING:
    from muniment.client.transport import Answer

RENEW_BEFORE_S: Final = 60.0


class Send(Protocol):
    """Sends one request, once."""

    async def __call__(
        self, method: str, path: str, deadline: float, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> "Answer":
        """Give its answer; raises Refused and Unreachable."""


class SignIn:
    """Holds the session of one key at one registry.

    ``issuer`` is what the session's statement must name; without one, whatever the registry says it is. Name it where
    the way to the registry isn't trusted: else another registry's nonce could be passed on and signed here.
    """

    def __init__(self, key: SigningKey, send: Send, issuer: str | None = None) -> None:
        self._key, self._send, self._issuer = key, send, issuer
        self._token: str | None = None
        self._good_until = self._ends_at = 0.0
        self._signing = asyncio.Lock()

    async def headers(self, deadline: float) -> Mapping[str, str]:
        """Give the headers of a request that is signed in."""
        if self._token is None or time.monotonic() >= self._good_until:
            async with self._signing:
                if self._token is None or time.monotonic() >= self._good_until:
                    await self._renew(deadline)
        return _bearer(str(self._token))

    @property
    def held(self) -> Mapping[str, str] | None:
        """Give the headers of the session that is held, whether it is fresh or not; nothing where there is none."""
        return None if self._token is None else _bearer(self._token)

    def forget(self, signed_in: Mapping[str, str]) -> None:
        """Drop the session of these headers: the next request opens another. One that is newer is kept."""
        if self.held == signed_in:
            self._token = None

    async def _renew(self, deadline: float) -> None:
        began, session = time.monotonic(), await self._refreshed(deadline)
        if session is None:
            did = self._key.did
            nonce = _members((await self._send("POST", "/auth/nonce", deadline, body={"did": did})).json)
            issuer = nonce["issuer"]
            if self._issuer is not None and issuer != self._issuer:
                raise UnexpectedAnswer(f"sessions are issued by {issuer}, not by {self._issuer}")
            statement = self._key.sign_session(issuer, did, nonce["nonce"])
            began = time.monotonic()
            session = _members((await self._send("POST", "/auth/session", deadline, body=statement)).json)
        self._token = session["token"]
        lifetime_s = _lifetime_s(self._token)
        self._ends_at = began + lifetime_s
        self._good_until = began + max(lifetime_s - RENEW_BEFORE_S, lifetime_s / 2)

    async def _refreshed(self, deadline: float) -> Mapping[str, str] | None:
        """Refresh the session that is held; nothing where there is none that can be, for the key to sign again."""
        if self._token is None or time.monotonic() >= self._ends_at:
            return None
        try:
            return _members((await self._send("POST", "/auth/refresh", deadline, headers=self.held)).json)
        except (RateLimited, Unavailable):
            raise
        except Refused:
            return None


def _bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _lifetime_s(token: str) -> float:
    """Give how long a session lasts by its own claims (RFC 7519), whatever this machine's clock says."""
    try:
        claims = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return float(found["exp"] - found["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise UnexpectedAnswer("a session's token is none") from None


def _members(found: Any) -> Mapping[str, str]:
    """Give an object whose members are asked for by name; raises UnexpectedAnswer."""
    if not isinstance(found, dict):
        raise UnexpectedAnswer("signing in was not answered with an object")
    if not ({"nonce", "issuer"} <= set(found) or "token" in found) or not all(map(_is_text, found.values())):
        raise UnexpectedAnswer("signing in was answered without what it needs")
    return found
