"""One DID in all of its spellings."""

import pytest

from domain.did import identity
from domain.facts.fact import Subject, unique_key
from domain.facts.kinds import KINDS
from domain.facts.signer import signer_key

MIXED = "did:pkh:eip155:1:0xAb5801a7D398351b8bE11C439e05C5B3259aeC9B"
SUBJECT = Subject("feed.ff", "playlist", "pl_1", None)


@pytest.mark.parametrize("spelling", [MIXED, MIXED.lower(), MIXED.replace("AB", "ab")])
def test_an_ethereum_address_is_one_signer_one_issuer_and_one_linked_did_in_any_case(spelling: str) -> None:
    assert identity(spelling) == MIXED.lower()
    assert signer_key(spelling) == signer_key(MIXED)
    assert unique_key(spelling, "endorsement.star", SUBJECT, "") == unique_key(MIXED, "endorsement.star", SUBJECT, "")
    link = KINDS["identity.link"]
    assert link.unique_by({"linked_did": spelling}, "") == MIXED.lower()


def test_a_did_key_keeps_its_case_because_base58_has_both() -> None:
    did = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    assert identity(did) == did
