"""A verb starts at once: it loads no decider, no projection and no route, and a process of ours loads no client."""

import subprocess
import sys

import pytest

from muniment import roles, up

pytestmark = pytest.mark.slow

HEAVY = {"domain.catalog", "log.kafka", "projections", "api.wiring", "aiokafka", "psycopg", "fastavro"}


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        ([], HEAVY),
        (["ledger"], HEAVY | {"muniment.cli_facts"}),
        (["audit"], HEAVY | {"muniment.cli_facts"}),
        (["decide"], {"muniment.client", "muniment.cli_facts"}),
    ],
)
def test_the_command_line_loads_what_a_verb_needs(arguments: list[str], absent: set[str]) -> None:
    script = f"from muniment.cli import parser; import sys; parser(*{arguments}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not absent & set(loaded.stdout.split())


def test_every_process_is_started_by_up() -> None:
    assert tuple(roles.ROLES) == up.ROLES
