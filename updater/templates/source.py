"""Positions in a template, and error messages with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from updater.errors import TemplateError

SYNTAX: Final = "template"
FUNCTION: Final = "template-function"
DATA: Final = "template-data"
LIMIT: Final = "template-limit"
FAILED: Final = "template-failed"
REMOVED: Final = "template-removed-field"


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """The text of a template and its name in messages."""

    name: str
    text: str

    def place(self, position: int) -> str:
        """Return ``name:line:column`` of the character *position*, both counted from 1."""
        line = self.text.count("\n", 0, position) + 1
        column = position - (self.text.rfind("\n", 0, position) + 1) + 1
        return f"{self.name}:{line}:{column}"

    def fault(self, position: int, message: str, *, hint: str = "", code: str = SYNTAX) -> TemplateError:
        """Return the error to raise for what is wrong at *position*."""
        return TemplateError(f"{self.place(position)}: {message}", hint=hint, code=code)

    def stop(self, position: int, message: str, *, hint: str = "", code: str = DATA) -> NoReturn:
        """Raise the error for data that the template cannot go on with."""
        raise self.fault(position, message, hint=hint, code=code)
