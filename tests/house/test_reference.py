"""The reference page is what the code says."""

from tests.house.reference import PAGE, page


def test_the_reference_page_is_as_the_code_says() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.house.reference"
