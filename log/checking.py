"""Many signatures checked at once, in a process of their own: so a batch takes a second core.

Checking is most of what a batch costs, and threads would only wait for the interpreter between two signatures. The
process reads questions from its standard input and ends with it, so it never outlives whoever asks.
"""

import asyncio
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from typing import Any, BinaryIO, Final, NamedTuple

from log import strict_json
from log.public_keys import InvalidKey
from log.signatures import InvalidDid, InvalidSignature, usable_key, verify

WORTH_ASKING: Final = 32
"""Below this many signatures, some 1.5 ms, the way to another process and back isn't worth it."""
ANSWER_TIMEOUT_S: Final = 5.0
CHECKED_AT_ONCE: Final = 16
LENGTH: Final = struct.Struct("<I")


class Signed(NamedTuple):
    """Who signed which text; ``signature`` is base64, ``public_key`` the multibase of a registered DID's key."""

    alg: str
    did: str
    text: str
    signature: str
    public_key: str | None = None


def fault_of(signed: Signed) -> str | None:
    """Say why a signature does not hold, in words that are safe to show; nothing where it holds."""
    try:
        registered = None if signed.public_key is None else usable_key(signed.public_key)
        verify(signed.alg, signed.did, signed.text.encode(), signed.signature, registered)
    except (InvalidSignature, InvalidDid, InvalidKey) as error:
        return error.detail
    return None


class Checker:
    """Checks signatures here or, where there are many, in a process that is started when it is first needed."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def faults(self, signed: Sequence[Signed]) -> list[str | None]:
        """Say of each signature why it does not hold. A process that fails is left, and the rest checked here."""
        if len(signed) >= WORTH_ASKING:
            async with self._turn:
                try:
                    async with asyncio.timeout(ANSWER_TIMEOUT_S):
                        return await self._asked(signed)
                except (OSError, EOFError, TimeoutError):
                    await self._leave()
                except asyncio.CancelledError:
                    self._forget()  # its answer may be under way, and the next to ask would take it for theirs
                    raise
        found = []
        for index, each in enumerate(signed, start=1):
            found.append(fault_of(each))
            if index % CHECKED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return found

    async def _asked(self, signed: Sequence[Signed]) -> list[str | None]:
        process = self._process
        if process is None:
            arguments = (sys.executable, "-m", "log.checking")
            process = self._process = await asyncio.create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE)
        if process.stdin is None or process.stdout is None:
            raise EOFError
        question = strict_json.dump([tuple(each) for each in signed])
        process.stdin.write(LENGTH.pack(len(question)) + question)
        await process.stdin.drain()
        (size,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        # As `answer` wrote it.
        return strict_json.parse_own(await process.stdout.readexactly(size))  # type: ignore[return-value]

    def _forget(self) -> Process | None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
        return process

    async def _leave(self) -> None:
        process = self._forget()
        if process is not None:
            await process.wait()

    async def close(self) -> None:
        """End the process, if there is one."""
        async with self._turn:
            await self._leave()


def answer(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer questions until there are no more."""
    while len(head := questions.read(LENGTH.size)) == LENGTH.size:
        asked: Any = strict_json.parse_own(questions.read(LENGTH.unpack(head)[0]))
        faults = strict_json.dump([fault_of(Signed(*each)) for each in asked])
        answers.write(LENGTH.pack(len(faults)) + faults)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks, who then ends the input
    answer(sys.stdin.buffer, sys.stdout.buffer)
