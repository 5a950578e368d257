"""How a moment is written for machines: RFC 3339 in UTC, with the ``Z`` that Kubernetes writes."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(moment: datetime | float, timespec: str = "seconds") -> str:
    """Write an aware time, or one in Unix time; what is finer than *timespec* is cut off."""
    found = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return found.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
