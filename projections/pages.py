"""Pages of a list, newest first, each behind the last item of the one before."""

from dataclasses import fields
from typing import Any, TypeAlias

Behind: TypeAlias = tuple[int, int, int]
"""Where a page goes on: the time, the partition and the offset of the last item."""
NEWEST = "ORDER BY at DESC, part DESC, pos DESC LIMIT %(limit)s"
BEHIND = " AND (at, part, pos) < (%(after_at)s, %(after_part)s, %(after_pos)s)"


def columns(of: type) -> str:
    """Write the columns that a stored noun is made of."""
    return ", ".join(each.name for each in fields(of))


def behind(bound: dict[str, Any], after: Behind | None) -> str:
    """Write where a page goes on, binding it; empty for the first."""
    if after is None:
        return ""
    bound |= {"after_at": after[0], "after_part": after[1], "after_pos": after[2]}
    return BEHIND
