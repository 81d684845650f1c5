"""Sessions checked as a service elsewhere checks them: by the keys that the registry publishes, whoever's they are."""

from dataclasses import dataclass

from api.caller import Caller
from api.problems import ProblemError
from api.session_tokens import caller_of
from log.jwks import Claims, Fetch, KeySet, KeysUnavailable

RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Visitor(Caller):
    """A caller with the roles that its token names."""

    roles: frozenset[str] = frozenset()


class RegistrySessions:
    """Checks tokens of the registry that names itself ``issuer``; its keys are fetched when one is asked for."""

    def __init__(self, issuer: str, fetch: Fetch) -> None:
        self.issuer, self._keys = issuer, KeySet(issuer, fetch)

    def caller(self, token: str) -> Visitor | None:
        """Say whose session a token is, by the keys that are known; nothing for one that doesn't hold."""
        claims = self._keys.claims(token)
        return _visitor(claims)

    async def admit(self, token: str) -> Visitor | None:
        """Say whose session a token is, and fetch the keys anew for one that isn't known. Raises the problem 503."""
        try:
            claims = await self._keys.admit(token)
        except KeysUnavailable as error:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise ProblemError("read_model_unavailable", str(error), headers=headers) from None
        return _visitor(claims)


def _visitor(claims: Claims | None) -> Visitor | None:
    if claims is None:
        return None
    try:
        found = caller_of(claims.all)
    except (KeyError, ValueError, TypeError):
        return None  # another version of a registry may say more, and otherwise
    named = (found.did, found.identity, found.proof, found.expires_at, found.session_id, found.signed_in_at)
    return Visitor(*named, claims.roles)
