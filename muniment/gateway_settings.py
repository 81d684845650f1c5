"""The settings of the gateway: which collections it shows as what."""

from dataclasses import dataclass

from domain.records.built_in import FOLLOW, POST, PROFILE
from domain.records.collection_name import is_collection
from muniment.media_settings import MediaSettings
from muniment.setting_values import setting, words


def _collection(given: str) -> str:
    if not is_collection(given):
        raise ValueError("is a collection's reverse-domain name: org.example.post")
    return given


def _collections(given: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_collection, words(given))))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings(MediaSettings):
    """Which collections the gateway shows as posts, follows and profiles."""

    post_collections: tuple[str, ...] = setting(
        (POST,),
        "The collections whose records feeds and search show as posts, separated by commas.",
        read=_collections,
        metavar="NAMES",
    )
    follow_collection: str = setting(
        FOLLOW,
        "The collection whose records say by their `subject` whom their owner follows.",
        read=_collection,
        metavar="NAME",
    )
    profile_collection: str = setting(
        PROFILE,
        "The collection whose record `self` says by which name its owner is shown.",
        read=_collection,
        metavar="NAME",
    )
