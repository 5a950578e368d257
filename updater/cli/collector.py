"""When the garbage collector looks for cycles: not while modules are imported, seldom at work, and not at the end.

Imports make a hundred thousand objects and no garbage, and so do the events of a large YAML file. Nearly all that is thrown
away here is freed by its reference count at once. `docs/decisions/0253-collector.md` has the figures.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_OBJECTS: Final = 20_000  # that are made and not freed; Python's 700 are fewer than one manifest's


def settle() -> None:
    """Let the collector look less often, for the whole process."""
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])


@contextmanager
def importing() -> Iterator[None]:
    """Let the collector rest inside the block, and leave what was made there out of its later searches."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def leave() -> None:
    """Take everything out of the collector's last search: the process ends, and the system takes its memory."""
    gc.freeze()
