"""What was asked for lately: whoever finds what there is to ask in an agenda finds it until it is decided."""

import time
from collections.abc import Iterable
from typing import Final

from processors.reactor_commands import Ask

ASKED_AT_ONCE: Final = 1_000
ASK_AGAIN_S: Final = 2.0


class Lately:
    """What was asked for lately, so that it isn't asked for again at once."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}

    def choose(self, asks: Iterable[Ask]) -> list[Ask]:
        """Give those of all that there is to ask for which weren't asked for lately, some at once."""
        before, self._asked = self._asked, {}
        chosen, now = list[Ask](), time.monotonic()
        for ask in asks:
            asked_at = before.get(ask.content_id)
            if asked_at is not None and now - asked_at < ASK_AGAIN_S:
                self._asked[ask.content_id] = asked_at
            elif len(chosen) < ASKED_AT_ONCE:
                self._asked[ask.content_id] = now
                chosen.append(ask)
        return chosen

    def forget(self) -> None:
        """Take all as not asked for: it may not lie on the log."""
        self._asked.clear()
