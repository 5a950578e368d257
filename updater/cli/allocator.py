"""How the C library hands out memory: few arenas, and what is free goes back, so that a daemon of weeks stays small."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from typing import Final

# of malloc.h of the GNU C library
_M_TRIM_THRESHOLD: Final = -1
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2
_TRIMMED_ABOVE: Final = 256 * 1024


def bound_arenas() -> None:
    """Let all threads share two arenas, and let free memory at the end of one go back to the system.

    By default each thread gets an arena of its own, up to eight a core, and what a worker freed there is kept for it alone. Call
    it before threads are started. Only the GNU C library has this; who set `MALLOC_ARENA_MAX` keeps that.
    """
    if not sys.platform.startswith("linux") or "MALLOC_ARENA_MAX" in os.environ:
        return
    with suppress(AttributeError, OSError):  # another C library: musl has one arena anyway
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_TRIM_THRESHOLD, _TRIMMED_ABOVE)
