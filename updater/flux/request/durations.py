"""How long a duration of Go is: ``1h30m``, ``500ms``.

Source: the pattern of the fields of duration in Flux's API; https://pkg.go.dev/time#ParseDuration has more units, which the API
server refuses.
"""

from __future__ import annotations

import re
from typing import Any, Final

_WHOLE: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_UNIT: Final = re.compile("(ms|s|m|h)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_TEXT: Final = 64
_LONGEST: Final = 2**63 / 1e9


def read_duration(value: Any) -> float | None:
    """Return the seconds of a duration; None for everything that is none, and for what Go cannot hold."""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not _WHOLE.fullmatch(value):
        return None
    parts = _UNIT.split(value)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in zip(parts[::2], parts[1::2], strict=False))
    return seconds if seconds < _LONGEST else None
