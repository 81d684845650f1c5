"""The chain alone, with nothing decoded: the quickest answer to whether a log is whole."""

import time

from log import topic
from log.avro import UndecodableValue
from log.chain import Chain, Mark
from log.message import Decision, Message
from log.released import codec
from processors.audit_verdict import Difference, Source, Verdict

NOTHING_DECIDED = -1


async def check_chain(source: Source, context: str) -> Verdict:
    """Follow the chain of every partition: how many decisions count, and how many messages are skipped.

    It is broken where messages at the end decide commands and none of them counts.
    """
    begun = time.perf_counter()
    verdict, name = Verdict(scope="chain"), topic.events(context)
    for partition, end in sorted((await source.ends(name)).items()):
        last, stranded = await _follow(source, name, partition, end, verdict)
        if last is not None:
            verdict.positions[f"{context}/{partition}"] = last.offset
        if stranded is not None and verdict.difference is None and _cause(context, stranded) > _cause(context, last):
            place = f"{context}/{partition}/{stranded.offset}"
            verdict.difference = Difference(place, "chain", "commands were decided from here on, and nothing counts")
    verdict.duration_s = time.perf_counter() - begun
    return verdict


async def _follow(
    source: Source, name: str, partition: int, end: int, verdict: Verdict
) -> tuple[Message | None, Message | None]:
    """Give the last message that counts, and the first behind it that doesn't."""
    chain = Chain(Mark.start(name, partition))
    admit, counted, skipped = chain.admit, 0, 0
    last: Message | None = None
    stranded: Message | None = None
    async for batch in source.messages(name, partition, end):
        for message in batch:
            if admit(message):
                counted += 1
                last, stranded = message, None
            else:
                skipped += 1
                stranded = stranded or message
    verdict.decisions += counted
    verdict.skipped += skipped
    return last, stranded


def _cause(context: str, message: Message | None) -> int:
    if message is None:
        return NOTHING_DECIDED
    try:
        decision: Decision = codec(context, "decision").decode(message.value)
    except (UndecodableValue, TypeError):
        return NOTHING_DECIDED
    return decision.cause
