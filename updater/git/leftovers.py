"""What a process that was killed leaves half-written in the folder of a mirror: drafts, locks, and one half of a pack."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DRAFTS: Final = ("*.new", "updater-*.[0-9]*", "objects/tmp_*", "objects/pack/tmp*", "objects/pack/*.tmp", "objects/pack/*.lock")
_OTHER_HALF: Final = {".pack": ".idx", ".idx": ".pack"}


def sweep(folder: Path) -> None:
    """Remove everything half-written below *folder*; nobody else may be writing there."""
    for file in [*_drafts(folder), *_halves(folder / "objects" / "pack")]:
        with contextlib.suppress(OSError):
            file.unlink()


def _drafts(folder: Path) -> Iterator[Path]:
    for pattern in _DRAFTS:
        yield from folder.glob(pattern)


def _halves(folder: Path) -> Iterator[Path]:
    for file in folder.glob("*"):
        other = _OTHER_HALF.get(file.suffix)
        if other and not file.with_suffix(other).exists():
            yield file
