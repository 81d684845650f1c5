"""Times on the command line: a moment that is named, or so far ahead."""

from datetime import UTC, datetime, timedelta


def ahead(given: timedelta) -> str:
    """Write the moment so far ahead: RFC 3339 in UTC with milliseconds."""
    return (datetime.now(UTC) + given).isoformat(timespec="milliseconds").replace("+00:00", "Z")
