"""Publishing's messages are in the catalog while its rules are tested: they don't lie on the log yet."""

import pytest

from domain.catalog import BY_CLASS
from domain.publishing.messages import MESSAGES


@pytest.fixture(autouse=True)
def _in_the_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in MESSAGES:
        monkeypatch.setitem(BY_CLASS, each.cls, each)  # type: ignore[arg-type]  # it is a dict, and is put right again
