"""Signatures checked in another process say what they would say here, and whoever asks gets an answer always."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from log.checking import WORTH_ASKING, Checker, Signed, fault_of
from muniment import SigningKey

KEY = SigningKey(b"\7" * 32)


def signed(number: int) -> Signed:
    """Sign a text, every third wrongly."""
    text = f"text {number} ☂"
    return Signed("ed25519", KEY.did, text, KEY.sign((text + "!" * (number % 3 == 0)).encode()))


def children() -> list[psutil.Process]:
    """Give those that still live."""
    living = (child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE)
    return [child for child in living if "log.checking" in " ".join(child.cmdline())]


@pytest.mark.parametrize("count", [0, 1, WORTH_ASKING - 1, WORTH_ASKING, 1_000])
async def test_many_are_answered_as_one_is(count: int) -> None:
    checker = Checker()
    asked = [signed(number) for number in range(count)]
    assert await checker.faults(asked) == [fault_of(each) for each in asked]
    assert len(children()) == (count >= WORTH_ASKING)
    await checker.close()
    assert children() == []


async def test_those_who_ask_at_the_same_time_get_their_own_answers() -> None:
    checker = Checker()
    asked = [[signed(start + number) for number in range(WORTH_ASKING)] for start in range(6)]
    assert await asyncio.gather(*map(checker.faults, asked)) == [[fault_of(e) for e in each] for each in asked]
    await checker.close()


async def test_a_process_that_is_killed_or_stopped_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    checker, asked = Checker(), [signed(number) for number in range(WORTH_ASKING)]
    right = [fault_of(each) for each in asked]
    assert await checker.faults(asked) == right
    (process,) = children()
    process.kill()
    process.wait()
    assert await checker.faults(asked) == right
    assert await checker.faults(asked) == right
    (process,) = children()
    monkeypatch.setattr("log.checking.ANSWER_TIMEOUT_S", 0.2)
    process.send_signal(signal.SIGSTOP)
    assert await checker.faults(asked) == right
    await checker.close()
    assert children() == []


async def test_an_answer_that_was_given_up_on_is_nobody_elses() -> None:
    checker = Checker()
    wrong = [signed(0)] * 1_000
    await checker.faults(wrong)
    task = asyncio.create_task(checker.faults(wrong))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await checker.faults([signed(1)] * 1_000) == [None] * 1_000
    await checker.close()


def test_the_process_ends_with_whoever_asks() -> None:
    asking = (
        "import asyncio, sys; from log.checking import *\n"
        "async def main():\n"
        " checker = Checker(); await checker.faults([Signed('ed25519', 'did:key:x', 'x', 'x')] * 100)\n"
        " print(checker._process.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", asking], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        checking = int(process.stdout.readline())
        assert psutil.pid_exists(checking)
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(checking) and psutil.Process(checking).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
