"""A real broker and a real PostgreSQL start from an empty directory, come back when killed, and end with the stack."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from muniment.stack import jars
from muniment.stack.embedded import Settings, embedded_services, run
from muniment.stack.errors import StackError, StackFault
from tests.muniment.stack.conftest import Foreground, is_alive, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

StartForeground = Callable[..., Foreground]


async def append(kafka: str, value: bytes, *, create: bool = False) -> None:
    if create:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        await admin.create_topics([NewTopic("kept", 1, 1)])
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait("kept", value)
    await producer.stop()


async def appended(kafka: str, count: int) -> list[tuple[bytes, int]]:
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    async with asyncio.timeout(30):
        messages = [await consumer.getone() for _ in range(count)]
    await consumer.stop()
    return [(message.value, message.timestamp_type) for message in messages]


def rows(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_services_keep_what_they_acknowledged_through_kill_9_and_a_new_start(
    tmp_path: Path, foreground: StartForeground
) -> None:
    data = tmp_path / "a path with spaces, commas: and colons"
    stack = foreground(data)
    services = stack.ready()
    asyncio.run(append(services["kafka"], b"first", create=True))
    rows(services["postgres"], "CREATE TABLE kept AS SELECT 'first' AS value")

    pids = stack.stack()["pids"]
    for name in ("broker", "postgres"):
        os.kill(pids[name], signal.SIGKILL)
    wait_until(lambda: all(count >= 1 for count in stack.stack()["restarts"].values()))

    async def second() -> None:
        await append(services["kafka"], b"second")
        assert await appended(services["kafka"], 2) == [(b"first", 1), (b"second", 1)]  # 1: the broker's own clock

    wait_until(lambda: answers(int(services["kafka"].rpartition(":")[2])))
    asyncio.run(second())
    wait_until(lambda: answers_sql(services["postgres"]))
    assert rows(services["postgres"], "SELECT value FROM kept") == [("first",)]
    restarted = stack.stack()
    assert {restarted["kafka"], restarted["postgres"]} == set(services.values())
    assert restarted["pids"]["supervisor"] == stack.process.pid
    assert all(restarted["pids"][name] != pids[name] for name in ("broker", "postgres"))

    family = stack.family()
    assert len(family) >= 2
    assert stack.end() == 0
    assert not [pid for pid in family if is_alive(pid)]
    assert not (data / "stack.json").exists()

    began = time.monotonic()
    again = foreground(data).ready()
    assert time.monotonic() - began < 20
    assert asyncio.run(appended(again["kafka"], 2)) == [(b"first", 1), (b"second", 1)]
    assert rows(again["postgres"], "SELECT value FROM kept") == [("first",)]


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def answers_sql(dsn: str) -> bool:
    try:
        return rows(dsn, "SELECT 1") == [(1,)]
    except psycopg.OperationalError:
        return False


def test_a_stack_killed_with_kill_9_leaves_no_orphans_and_the_directory_starts_again(
    tmp_path: Path, foreground: StartForeground
) -> None:
    stack = foreground(tmp_path / "data")
    stack.ready()
    family = stack.family()
    stack.end(signal.SIGKILL)
    assert (tmp_path / "data" / "stack.json").exists()
    wait_until(lambda: not [pid for pid in family if is_alive(pid)], timeout_s=10)
    again = foreground(tmp_path / "data")
    again.ready()
    assert again.stack()["pids"]["supervisor"] == again.process.pid
    assert again.end(signal.SIGINT) == 0


def test_two_stacks_run_at_once_and_a_third_on_the_same_directory_is_refused(
    tmp_path: Path, foreground: StartForeground
) -> None:
    first, second = foreground(tmp_path / "one"), foreground(tmp_path / "two")
    assert not set(first.ready().values()) & set(second.ready().values())
    third = foreground(tmp_path / "one")
    assert third.process.wait(20) == 1
    assert third.errors.read_text().startswith("data_directory_in_use")
    assert str(first.process.pid) in third.errors.read_text()
    assert "Traceback" not in third.errors.read_text()
    assert answers_sql(first.stack()["postgres"])


async def test_a_first_start_ended_at_any_moment_leaves_a_directory_that_starts(
    tmp_path: Path, foreground: StartForeground
) -> None:
    for number, delay_s in enumerate((0.3, 0.6, 1.2, 2.0)):
        stack = foreground(tmp_path / "data")
        await asyncio.sleep(delay_s)
        family = stack.family()
        stack.end(signal.SIGKILL if number % 2 else signal.SIGTERM)
        wait_until(lambda pids=family: not [pid for pid in pids if is_alive(pid)], timeout_s=10)
    async with embedded_services(tmp_path / "data") as services:
        assert answers_sql(services.postgres)


async def test_services_listen_on_the_loopback_only(tmp_path: Path) -> None:
    async with embedded_services(tmp_path / "data"):
        family = psutil.Process().children(recursive=True)
        listening = [each.laddr for member in family for each in member.net_connections() if each.status == "LISTEN"]
        assert len(listening) >= 3  # broker, controller, PostgreSQL
        assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


async def test_postgres_takes_no_login_without_the_password(tmp_path: Path) -> None:
    async with embedded_services(tmp_path / "data") as services:
        assert stat.S_IMODE((tmp_path / "data" / "stack.json").stat().st_mode) == 0o600
        assert rows(services.postgres, "SHOW fsync") == [("on",)]
        assert rows(services.postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
        address = services.postgres.partition("@")[2]
        for stranger in ("muniment", "muniment:guess", "postgres"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(f"postgresql://{stranger}@{address}")
        password = services.postgres.partition("muniment:")[2].partition("@")[0]
        for log in (tmp_path / "data" / "logs").iterdir():
            assert password not in log.read_text()
        assert password not in repr(services)


async def test_a_port_in_use_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StackError) as caught:
        await run(Settings(tmp_path / "data", port=taken.getsockname()[1]))
    assert caught.value.code == StackFault.PORT_IN_USE
    assert not (tmp_path / "data").exists()


def copied_jars(tmp_path: Path) -> str:
    """Gives a user who can't read this one's cache the jars, by a cache of its own."""
    source = jars.fetch()
    shutil.copytree(source, tmp_path / "cache" / source.name)
    return str(tmp_path / "cache")


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test proves it: this user is not root")
def test_a_user_who_is_not_root_runs_it_as_well(
    foreground: StartForeground, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        cache = copied_jars(home)
        for path in [home, *home.rglob("*")]:
            os.chown(path, 65534, 65534)
        become = [
            sys.executable,
            "-c",
            "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execv(sys.argv[1], sys.argv[1:])",
        ]
        python = interpreter_for_everyone()
        packages = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
        root = str(Path(__file__).resolve().parents[3])
        env = {"MUNIMENT_CACHE": cache, "HOME": str(home), "PYTHONPATH": f"{root}{os.pathsep}{packages}"}
        stack = foreground(home / "data", command=[*become, python], env=env)
        services = stack.ready()
        assert answers_sql(services["postgres"])
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in stack.family()} == {65534}
        assert stack.end() == 0
    finally:
        shutil.rmtree(home)


def interpreter_for_everyone() -> str:
    """Finds a Python of this version that a user with no rights may execute."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        program = Path(candidate).resolve()
        if program.exists() and all(parent.stat().st_mode & stat.S_IXOTH for parent in program.parents):
            return candidate
    pytest.skip("no Python of this version is executable by others here")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_root_runs_it_below_a_directory_that_is_closed_to_others(tmp_path: Path, foreground: StartForeground) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stack = foreground(closed / "data")
    assert answers_sql(stack.ready()["postgres"])
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    status = Path(f"/proc/{stack.stack()['pids']['postgres']}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split()
    # To pass through closed directories is all that is left of root: to read and search, or where that is
    # not root's to give, to override.
    assert int(fields["CapEff"], 16) in {1 << 1, 1 << 2}
