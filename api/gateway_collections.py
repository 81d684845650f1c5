"""Which collections of records the gateway shows as posts, as follows and as profiles."""

from dataclasses import dataclass

from domain.records.built_in import FOLLOW, POST, PROFILE


@dataclass(frozen=True, slots=True)
class GatewayCollections:
    """Collections by what they are to the gateway; a profile is the record ``self``."""

    posts: tuple[str, ...] = (POST,)
    follows: str = FOLLOW
    profiles: str = PROFILE
