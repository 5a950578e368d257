"""Looks for unreachable cycles by time, too: a daemon with little to do makes too few objects for Python to look soon.

Each failed request leaves some, with what its frames held. `docs/decisions/0266-cycles-by-time.md` has the figures.
"""

from __future__ import annotations

import gc
from typing import Final

LOOKED_EVERY: Final = 30.0
_YOUNG: Final = 1
_FEWEST: Final = 50_000


class CycleSearch:
    """Searches what was made since the last look, which takes milliseconds; all, where a quarter was made since that was done.

    That is Python's own rule for a search of everything, which it follows only when its threshold of young objects is reached.
    """

    def __init__(self) -> None:
        self._made = 0
        self._enough = _FEWEST

    async def look(self) -> None:
        """Free what is found."""
        self._made += gc.get_count()[0]
        if self._made < self._enough:
            gc.collect(_YOUNG)
            return
        gc.collect()
        self._made, self._enough = 0, max(_FEWEST, len(gc.get_objects()) // 4)
