"""How edits look as a unified diff that `git apply` takes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from updater.model.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.model.update import Edit


def as_diff(edits: Iterable[Edit], *, prefix: str = "") -> str:
    """Render edits as one unified diff that `git apply` takes; *prefix* leads from its root to the folder of their paths."""
    return "".join(_diff(edit, prefix + edit.path) for edit in edits if edit.before != edit.after)


def _diff(edit: Edit, path: str) -> str:
    before, after = (_lines(text) for text in (edit.before, edit.after))
    old, new = (quoted(f"{side}/{path}".encode("utf-8", "surrogateescape")) for side in "ab")
    end = "\t" if " " in path else ""  # as git writes it: a name may have blanks, a time may stand behind it
    lines = difflib.unified_diff(before, after, "/dev/null" if edit.is_made else old + end, new + end)
    body = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    made = "new file mode 100644\n" if edit.is_made else ""
    return f"diff --git {old} {new}\n{made}{body}"


def _lines(data: bytes) -> list[str]:
    # split at \n alone: a carriage return belongs to its line, or the diff would not apply
    text = data.decode("utf-8", "replace")
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
