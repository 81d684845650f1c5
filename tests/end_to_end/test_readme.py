"""README's commands print what README says."""

from pathlib import Path

import pytest

from tests.end_to_end.readme import README, masked, play
from tests.end_to_end.registry import running


@pytest.mark.stack
@pytest.mark.slow
def test_every_command_of_readme_prints_what_readme_says(tmp_path: Path) -> None:
    with running(tmp_path / ".muniment") as registry:
        for command, said, printed in play(registry, tmp_path, README.read_text()):
            assert masked(printed) == masked(said), f"$ {command}\n{printed}"
