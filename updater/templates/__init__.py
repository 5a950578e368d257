"""The Go text/template subset of commit messages, branch names and titles, with the functions of sprig; pure.

::

    template = parse("Update {{ .Name | upper }}")
    template.render({"Name": "app"})       # "Update APP"

The values are cheap to import, the language is not: it is loaded when the first template is parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.templates.values import NOTHING, Int64, Ints, StringMap, Strings, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.templates.template import Template

__all__ = ["NOTHING", "Int64", "Ints", "StringMap", "Strings", "Struct", "parse"]


def parse(text: str, *, name: str = "template", functions: Mapping[str, Callable[..., object]] | None = None) -> Template:
    """Read a template; see `updater.templates.template.parse`. Raises `TemplateError` with line, column and a hint."""
    from updater.templates import template  # noqa: PLC0415 - see above

    return template.parse(text, name=name, functions=functions)
