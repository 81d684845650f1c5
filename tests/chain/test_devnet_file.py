"""The devnet's file: several processes at once, a kill at any step, damage, no room, a lock that nobody lets go."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from log.bitcoin import Output, txid_of
from processors import devnet as devnet_module
from processors import devnet_file
from processors.chain import ChainUnavailable
from processors.devnet import Devnet
from processors.devnet_checking import InvalidChain
from tests.chain.paying import ANYBODY, Coin, anybody_spends

HELD: Final = 1_000_000


def script(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """Start a process of ours."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def ended(process: "subprocess.Popen[str]") -> list[str]:
    """Give what a process said, once it is done."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return said.split()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chain"


@pytest.fixture
async def other(path: Path, devnet: Devnet) -> AsyncIterator[sqlite3.Connection]:
    """Open the devnet's file as another process would."""
    await devnet.tip()
    connection = sqlite3.connect(path.parent / "devnet" / "chain", timeout=0, isolation_level=None)
    yield connection
    connection.close()


def test_the_interpreter_is_loaded_by_whoever_validates_and_nobody_else() -> None:
    code = """
        import sys
        from processors import devnet
        print("bsv" in sys.modules, "processors.devnet_scripts" in sys.modules)
    """
    assert ended(script(code)) == ["False", "True"]


async def test_two_openings_see_what_the_other_wrote(path: Path) -> None:
    first, second = Devnet(path), Devnet(path)
    coin = Coin(await first.faucet(ANYBODY, HELD), HELD)
    raw = anybody_spends([coin], Output(HELD, ANYBODY))
    await second.broadcast(raw)
    assert await first.transaction(txid_of(raw)) == (raw, None)
    assert await first.mine() == await second.tip()
    await second.reorganise(1)
    assert await first.transaction(txid_of(raw)) == (raw, None)
    await first.close()
    assert (await second.check()).unspent == HELD
    await second.close()


async def test_processes_that_begin_one_file_at_once_and_write_to_it_by_turns_make_one_chain(path: Path) -> None:
    code = """
        import asyncio, sys
        from pathlib import Path
        from log.bitcoin import Output, txid_of
        from processors.devnet import Devnet
        from tests.chain.paying import ANYBODY, Coin, anybody_spends

        async def work(devnet):
            for each in range(6):
                outpoint = await devnet.faucet(ANYBODY, 1000)
                raw = anybody_spends([Coin(outpoint, 1000)], Output(1000, ANYBODY))
                await devnet.broadcast(raw)
                await devnet.mine()
                if each % 3 == 2:
                    await devnet.reorganise(3)
                print(txid_of(raw))
            await devnet.close()

        asyncio.run(work(Devnet(Path(sys.argv[1]))))
    """
    working = [script(code, path) for _ in range(2)]
    sent = [txid for process in working for txid in ended(process)]
    devnet = Devnet(path)
    assert (await devnet.check()).unspent == 12 * 1000
    assert (await devnet.tip()).height == 12 * 2 + 4
    assert len(set(sent)) == 12
    assert all([await devnet.transaction(txid) for txid in sent])
    await devnet.close()


async def test_killed_while_it_works_it_keeps_all_that_it_said(path: Path) -> None:
    code = """
        import asyncio, itertools, sys
        from pathlib import Path
        from log.bitcoin import Output, txid_of
        from processors.devnet import Devnet
        from tests.chain.paying import ANYBODY, Coin, anybody_spends

        async def work(devnet):
            for each in itertools.count():
                outpoint = await devnet.faucet(ANYBODY, 1000)
                raw = anybody_spends([Coin(outpoint, 1000)], Output(1000, ANYBODY))
                await devnet.broadcast(raw)
                print(txid_of(raw), flush=True)
                await devnet.mine()
                if each % 4 == 3:
                    await devnet.reorganise(4)

        asyncio.run(work(Devnet(Path(sys.argv[1]))))
    """
    working = script(code, path)
    assert working.stdout is not None
    said = [working.stdout.readline().strip() for _ in range(23)]
    working.kill()
    working.wait(timeout=60)
    said += [line for line in working.stdout.read().splitlines() if len(line) == 64]
    working.stdout.close()
    devnet = Devnet(path)
    await devnet.check()
    assert all([await devnet.transaction(txid) for txid in said])
    await devnet.close()


async def test_killed_between_any_two_statements_it_leaves_the_chain_before_or_after(tmp_path: Path) -> None:
    code = """
        import itertools, os, signal, sys
        from pathlib import Path
        from log.bitcoin import Output, read_transaction
        from processors import devnet_blocks, devnet_checking, devnet_mempool, devnet_mining
        from processors.devnet_file import ChainFile
        from processors.devnet_mining import Faucet
        from tests.chain.paying import ANYBODY, Coin, anybody_spends

        devnet_mempool.scripts_hold(read_transaction(anybody_spends([Coin("ab" * 32 + ":0", 1)], Output(1, ANYBODY))),
                                    [Output(1, ANYBODY)])

        def done(place, work):
            file = ChainFile(place, devnet_blocks.begin)
            with file.transaction(writes=True) as connection:
                answer = work(connection)
            file.close()
            return answer

        def dying(place, work, at):
            file, left = ChainFile(place, devnet_blocks.begin), itertools.count()
            def traced(statement):
                if next(left) == at:
                    os.kill(os.getpid(), signal.SIGKILL)
            with file.transaction(writes=False) as connection:
                pass
            connection.set_trace_callback(traced)
            with file.transaction(writes=True) as connection:
                work(connection)
            os._exit(0)

        place = Path(sys.argv[1])
        coin = Coin(done(place, lambda c: devnet_mining.faucet(c, 1, Faucet(ANYBODY, 1000))), 1000)
        raw = anybody_spends([coin], Output(600, ANYBODY), Output(400, ANYBODY))
        take = lambda c: devnet_mempool.take(c, raw, read_transaction(raw), 0)
        deaths = 0
        for work in (
            take,
            lambda c: devnet_mining.mine(c, 2),
            lambda c: devnet_mining.faucet(c, 3, Faucet(ANYBODY, 1)),
            lambda c: devnet_mining.reorganise(c, 4, 2),
            lambda c: devnet_mining.mine(c, 5),
        ):
            before = done(place, devnet_checking.check)
            for at in itertools.count():
                child = os.fork()
                if child == 0:
                    dying(place, work, at)
                _, status = os.waitpid(child, 0)
                if os.WIFEXITED(status):
                    assert os.WEXITSTATUS(status) == 0
                    break
                assert done(place, devnet_checking.check) == before
                deaths += 1
        print(deaths, *done(place, devnet_checking.check))
    """
    deaths, *held = ended(script(code, tmp_path / "chain"))
    assert int(deaths) > 40
    assert held == ["1001", "1001", "0"]


async def test_the_loop_waits_for_no_lock(devnet: Devnet, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    mining = asyncio.create_task(devnet.mine())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not mining.done()
    other.execute("ROLLBACK")
    assert (await mining).height == 1


async def test_a_lock_that_nobody_lets_go_is_given_up_on_and_readers_wait_for_none(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devnet_file, "BUSY_TIMEOUT_S", 0.05)
    devnet = Devnet(path)
    await devnet.mine()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ChainUnavailable, match="SQLITE_BUSY"):
        await devnet.mine()
    assert (await devnet.tip()).height == 1
    other.execute("ROLLBACK")
    other.close()
    assert (await devnet.mine()).height == 2
    await devnet.close()


async def test_what_takes_too_long_is_given_up_on(
    devnet: Devnet, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(devnet_module, "ANSWER_TIMEOUT_S", 0.05)
    with pytest.raises(ChainUnavailable, match="in time"):
        await devnet.mine()
    other.execute("ROLLBACK")
    monkeypatch.undo()
    await devnet.tip()


async def test_with_no_room_left_nothing_is_taken_and_later_it_is(devnet: Devnet, path: Path) -> None:
    coin = Coin(await devnet.faucet(ANYBODY, HELD), HELD)
    raw = anybody_spends([coin], Output(HELD, ANYBODY), *[Output(0, b"\x51" * 9_000) for _ in range(20)])
    await devnet._read(lambda connection: connection.execute("PRAGMA max_page_count = 20").fetchone())
    with pytest.raises(ChainUnavailable, match="SQLITE_FULL"):
        await devnet.broadcast(raw)
    assert await devnet.transaction(txid_of(raw)) is None
    await devnet.check()
    await devnet.broadcast(raw)


def test_a_file_that_is_no_chain_is_left_as_it_is(path: Path) -> None:
    content = b"something else, and long enough to have a header of its own" * 100
    path.write_bytes(content)

    async def asked() -> None:
        devnet = Devnet(path)
        for each in (devnet.tip(), devnet.mine(), devnet.transaction("ab" * 32)):
            with pytest.raises(ChainUnavailable):
                await each
        await devnet.close()

    asyncio.run(asked())
    assert path.read_bytes() == content


async def test_a_file_of_another_format_is_left_as_it_is(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA user_version = 7")
    other.close()
    devnet = Devnet(path)
    with pytest.raises(ChainUnavailable, match="another format"):
        await devnet.mine()
    await devnet.close()


async def test_a_file_that_lost_its_end_is_known_to_be_damaged(path: Path) -> None:
    devnet = Devnet(path)
    for _ in range(20):
        await devnet.faucet(ANYBODY, HELD)
    await devnet.close()
    os.truncate(path, 3 * 4096)
    devnet = Devnet(path)
    with pytest.raises(ChainUnavailable):
        await devnet.check()
    await devnet.close()


DAMAGES: Final = {
    "another transaction": "UPDATE transactions SET raw = (SELECT raw FROM transactions WHERE arrival = 1)",
    "another header": "UPDATE blocks SET header = zeroblob(80) WHERE height = 2",
    "a header that is cut off": "UPDATE blocks SET header = x'00' WHERE height = 2",
    "another order": "UPDATE transactions SET place = place + 1 - 2 * (place % 2) + 10 WHERE height = 2",
    "a transaction less": "DELETE FROM transactions WHERE height = 2 AND place = 0",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_of_a_damaged_block_no_proof_is_given(path: Path, damage: str) -> None:
    devnet = Devnet(path)
    raw = anybody_spends([Coin(await devnet.faucet(ANYBODY, HELD), HELD)], Output(HELD, ANYBODY))
    await devnet.broadcast(raw)
    await devnet.mine()
    changed(path, damage)
    with pytest.raises(ChainUnavailable, match="damaged"):
        await devnet.transaction(txid_of(raw))
    with pytest.raises(InvalidChain):
        await devnet.check()
    await devnet.close()


LIES: Final = {
    "a coin is unspent again": "UPDATE outputs SET spent_by = NULL WHERE spent_by IS NOT NULL",
    "a coin is spent": "UPDATE outputs SET spent_by = 1 WHERE spent_by IS NULL",
    "a coin is worth more": "UPDATE outputs SET satoshis = satoshis + 1 WHERE spent_by IS NULL",
    "a coin is another's": "UPDATE outputs SET script = x'52' WHERE spent_by IS NULL",
    "a coin is gone": "DELETE FROM outputs WHERE spent_by IS NULL",
    "there is a coin more": "INSERT INTO outputs VALUES ('z:0', 1, x'51', 1, NULL)",
    "the fee is another": "UPDATE transactions SET fee = 1 WHERE height = 2 AND place = 1",
    "nothing waits": "UPDATE mempool SET transactions = 0",
    "what waits stands on much": "UPDATE transactions SET line = 9 WHERE height IS NULL",
    "a block is gone": "DELETE FROM blocks WHERE height = 1",
    "a block is another": "UPDATE blocks SET hash = 'no' WHERE height = 1",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_what_does_not_follow_from_the_blocks_is_found(path: Path, lie: str) -> None:
    devnet = Devnet(path)
    coin = Coin(await devnet.faucet(ANYBODY, HELD), HELD)
    for _ in range(2):
        raw = anybody_spends([coin], Output(HELD, ANYBODY))
        coin = Coin(f"{txid_of(raw)}:0", HELD)
        await devnet.broadcast(raw)
        if (await devnet.tip()).height == 1:
            await devnet.mine()
    await devnet.check()
    changed(path, lie)
    with pytest.raises(InvalidChain):
        await devnet.check()
    await devnet.close()


def changed(path: Path, statement: str) -> None:
    """Change the file behind the devnet's back."""
    other = sqlite3.connect(path, isolation_level=None)
    assert other.execute(statement).rowcount > 0
    other.close()
