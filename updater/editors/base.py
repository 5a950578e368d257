"""The editor protocol: a pure reader and writer of one kind of text.

An editor never sees a file system, a repository or a registry. It is given the bytes of one file and
says what is written there (`read`), or gives back the bytes with some values changed (`edit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.problem import Problem
    from updater.model.subscription import Locator
    from updater.model.update import Edit, EditRequest
    from updater.model.view import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReadings:
    """The places that an editor found in one file, and their problems."""

    readings: tuple[Reading, ...] = ()
    problems: tuple[Problem, ...] = ()


def creates(editor: Editor) -> bool:
    """Return whether a file that is not there is an empty one to this editor: it makes the file.

    An editor says so by an attribute ``creates``; the others change only what they find.
    """
    return bool(getattr(editor, "creates", False))


def beneath(editor: Editor, locator: Locator) -> str:
    """Return the file whose lists are hidden by those of the file of *locator*, "" where there is none.

    An editor says so by an attribute ``beneath``, and what that file sets by `Reading.beside`.
    """
    named = getattr(editor, "beneath", None)
    return str(named(locator)) if named is not None else ""


class Editor(Protocol):
    """Read and change one kind of text; pure.

    *name* is the key in `updater.editors.EDITORS`. A file without any of the bytes in *needles* holds nothing
    for it and need not be read; no needles mean that every file named by `files` counts.
    """

    @property
    def name(self) -> str:
        """The word by which targets name this editor."""
        ...

    @property
    def needles(self) -> tuple[bytes, ...]:
        """Bytes of which one at least stands in every file with a place."""
        ...

    def files(self, locator: Locator) -> tuple[str, ...] | None:
        """Name the files to try, the first that exists counts; None means every wanted file below the path."""
        ...

    def wants(self, path: str) -> bool:
        """Return whether a file of this name can hold a place at all."""
        ...

    def read(self, path: str, data: bytes, locator: Locator | None = None) -> FileReadings:
        """Find the places in *data*: those of *locator*, or all of them where it is None and that makes sense.

        A file that cannot be read is one problem with path and line, never an exception.
        """
        ...

    def edit(self, path: str, data: bytes, requests: Sequence[EditRequest]) -> Edit:
        """Write every request that can be written safely; the others stand in `Edit.refused`, each in its answer.

        Only the bytes of the values change, which is proved on the result before it is returned.
        """
        ...
