"""Which types of events a reader wants: names, and beginnings of names with ``*`` behind them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from api.problems import invalid

TYPES_MAX = 64
"""How many names a reader may list."""
NAME = re.compile(r"(?=.)[A-Za-z0-9._-]{0,300}\*?")
FORM = "names of events separated by commas, each of at most 300 letters, digits, dots, dashes and underscores"


@dataclass(frozen=True, slots=True)
class EventTypes:
    """The types that a reader wants: these names, and what begins like one of these."""

    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Tell whether an event of this type is wanted."""
        return name in self.names or name.startswith(self.prefixes)


PUBLIC = "cdv."
"""How the name of every event begins that is told of; what else is kept among them is nobody's to ask for."""
ALL = EventTypes(prefixes=(PUBLIC,))


def read_types(text: str | None) -> EventTypes:
    """Read a list of types, ``cdv.records.org.example.post.*,cdv.media.finalized``; absent, all are wanted.

    A name that no event has is taken: there may be events of it some day. Raises ``invalid_request``.
    """
    if text is None:
        return ALL
    listed: Sequence[str] = text.split(",", TYPES_MAX)
    if len(listed) > TYPES_MAX:
        raise invalid("/types", f"at most {TYPES_MAX} names can be listed")
    for name in listed:
        if NAME.fullmatch(name) is None:
            raise invalid("/types", f"this is a list of {FORM}, with * at its end where it is the beginning of names")
    beginnings = {name[:-1] for name in listed if name.endswith("*")}
    prefixes = sorted({PUBLIC if PUBLIC.startswith(name) else name for name in beginnings})
    return EventTypes(frozenset(name for name in listed if not name.endswith("*")), tuple(prefixes))
