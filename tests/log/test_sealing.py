"""What is sealed opens with its key, as what it is bound to, unchanged, and in no other way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log.sealing import CannotUnseal, new_key, seal_bound, unseal_bound

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@given(st.binary(max_size=300), st.binary(max_size=80))
def test_what_is_sealed_opens_as_what_it_is_bound_to(content: bytes, bound_to: bytes) -> None:
    sealed = seal_bound(KEY, content, bound_to)
    assert unseal_bound(KEY, sealed, bound_to) == content
    assert content not in sealed or len(content) < 4
    assert seal_bound(KEY, content, bound_to) != sealed


@given(st.binary(max_size=40), st.binary(max_size=20), st.data())
def test_another_key_another_binding_or_a_changed_bit_opens_nothing(
    content: bytes, bound_to: bytes, data: st.DataObject
) -> None:
    sealed = seal_bound(KEY, content, bound_to)
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    changed = bytearray(sealed)
    changed[at // 8] ^= 1 << at % 8
    for key, given_, binding in (
        (OTHER, sealed, bound_to),
        (KEY, sealed, bound_to + b"\0"),
        (KEY, bytes(changed), bound_to),
        (KEY, sealed[:-1], bound_to),
        (KEY, sealed[: data.draw(st.integers(0, 39))], bound_to),
        (KEY, b"", bound_to),
    ):
        with pytest.raises(CannotUnseal):
            unseal_bound(key, given_, binding)


def test_it_is_xchacha20_poly1305_as_others_write_it() -> None:
    # draft-irtf-cfrg-xchacha-03, A.3.1
    key, nonce = bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58))
    bound_to = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen"
        b" would be it."
    )
    ciphertext = bytes.fromhex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
        "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"
    )
    assert unseal_bound(key, nonce + ciphertext, bound_to) == text


def test_keys_are_random() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}
