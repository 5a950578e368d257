"""Errors of functions; the evaluator adds the position."""

from __future__ import annotations

from updater.errors import TemplateError
from updater.templates.source import DATA


def fault(message: str, *, hint: str = "", code: str = DATA) -> TemplateError:
    """Return the error to raise."""
    return TemplateError(message, hint=hint, code=code)
