"""How modules are imported at the start of a command, and left at its end, without the collector in between.

Imports make a hundred thousand objects and no garbage: looking for cycles among them, while they are made and once more when
the interpreter ends, takes a sixth of the start of `updater once`.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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
