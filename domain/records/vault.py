"""An owner's vault, counted: what it holds, and whether it was erased."""

from typing import NamedTuple

from domain.decider import Change, State
from domain.did import identity


class Vault(NamedTuple):
    """A vault's entry in the state: how many records and media, and their bytes; times in ms."""

    records: int = 0
    record_bytes: int = 0
    media: int = 0
    media_bytes: int = 0
    erased_at: int | None = None


def vault_key(did: str) -> str:
    """Give the key of a vault's entry."""
    return f"vault/{identity(did)}"


def vault(state: State, did: str) -> Vault:
    """Find a vault; one that nothing was ever put into is empty."""
    entry = state.get(vault_key(did))
    return Vault() if entry is None else Vault(*entry)


def counted(
    state: State, did: str, *, records: int = 0, record_bytes: int = 0, media: int = 0, media_bytes: int = 0
) -> Change:
    """Give a vault with so much more in it; what was erased counts nothing."""
    known = vault(state, did)
    if known.erased_at is None:
        known = known._replace(
            records=known.records + records,
            record_bytes=known.record_bytes + record_bytes,
            media=known.media + media,
            media_bytes=known.media_bytes + media_bytes,
        )
    return vault_key(did), known
