"""How a value that others wrote stands in a message: in plain text, Markdown and HTML, it is text and calls nobody. Pure.

Keys, tags and addresses come from people who need not be those who set the route up. Chats read ``<!channel>``, ``@everyone`` and
``<at>`` in the middle of a text as a call to people, and some read Markdown in what is sent as plain text.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

#: a space without width: it is not seen, and ends what would be a call
_BREAK: Final = "\u200b"
_AT: Final = re.compile(r"(?<![0-9A-Za-z])@(?=[\w!&#])|@(?=(?:everyone|here|channel|all|room|team|online)\b)", re.IGNORECASE)
#: `<at user_id="all">`, `<!channel>`, `<users/all>`; not `1 < 2`, `<=1.0` or `<2`
_OPEN: Final = re.compile(r"<(?=[^\s=\d])")
_MARKS: Final = re.compile(r"[\\`*~|\[\]]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDialect:
    """How a message is written: how a value is escaped, and how a heading, an item and the end of a line look."""

    escape: Callable[[str], str]
    strong: tuple[str, str] = ("", "")
    item: str = "• "
    line_end: str = "\n"

    def heading(self, text: str) -> str:
        """Return *text*, which is escaped, as a heading."""
        return f"{self.strong[0]}{text}{self.strong[1]}"


def calm(text: str) -> str:
    """Return *text* on one line, with nothing in it that calls somebody."""
    return _OPEN.sub(f"<{_BREAK}", _unaddressed(text))


def _unaddressed(text: str) -> str:
    return _AT.sub(f"@{_BREAK}", printable(text))


def _markdown(text: str) -> str:
    marked = _MARKS.sub(lambda found: f"\\{found[0]}", _unaddressed(text))
    return marked.replace("<", f"<{_BREAK}")


def _html(text: str) -> str:
    return html.escape(_unaddressed(text))


PLAIN: Final = TextDialect(escape=calm)
MARKDOWN: Final = TextDialect(escape=_markdown, strong=("**", "**"), item="- ")
HTML: Final = TextDialect(escape=_html, strong=("<b>", "</b>"), line_end="<br/>")
