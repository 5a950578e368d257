"""How log lines look, as JSON or for a console, and masks what must not be read in them."""

from __future__ import annotations

import logging
import os
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

import structlog

from updater.model.text import printable, printable_data, printable_lines, shown

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

_SECRET_KEYS: Final = frozenset({"password", "token", "authorization", "secret", "identity_token", "registry_token"})
_FIRST: Final = ("timestamp", "level", "event")
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@]+@")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_SIGNED: Final = re.compile(r"(?i)([?&](?:x-amz-signature|x-amz-credential|sig|signature|token|access_token)=)[^&\s]+")


def mask(text: str) -> str:
    """Hide user names and passwords of URLs, tokens of headers, and signatures of queries."""
    if "://" in text:
        text = _SIGNED.sub(r"\1***", _USERINFO.sub("***@", text))
    return _BEARER.sub(r"\1 ***", text)


def configure(*, level: str = "info", form: str | None = None, stream: Any = None) -> None:
    """Set up logging for the process: *form* is json, console or None, *level* debug, info, warning or error.

    None is console where the log goes to a terminal, and json elsewhere.
    """
    target: Any = stream or sys.stderr
    form = form or ("console" if target.isatty() else "json")
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Callable[..., Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask_event,
        _escape_event,
        _order_event,
    ]
    if form == "json":
        import orjson  # noqa: PLC0415 - a console user does not pay for it

        renderer: Callable[..., Any] = structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event, default=str)
        )
        buffer: Any = getattr(target, "buffer", None)
        factory: Any = structlog.BytesLoggerFactory(file=buffer)
    else:
        shared.append(_indent_exception)
        has_colours = target.isatty() and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=has_colours, pad_event_to=12, sort_keys=False)
        factory = structlog.PrintLoggerFactory(file=target)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )
    # libraries speak through the standard module; only their warnings are worth a line
    handler = logging.StreamHandler(target)
    handler.setFormatter(_Escaping("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


class _Escaping(logging.Formatter):
    """Formats what libraries say; their messages may repeat what a server or an object says."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the library's
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that logging calls
        return textwrap.indent(super().formatException(ei), "    ", lambda _line: True)


def _escape_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Spell out control characters: what objects and servers say must not move a cursor or begin a line of its own."""
    for key, value in event.items():
        event[key] = printable_lines(value) if key == "exception" else printable_data(value)
    return event


def _order_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put first what every line has: its time, its level, and what happened."""
    return {name: event[name] for name in _FIRST if name in event} | dict(event)


def _indent_exception(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Indent a traceback: no line of a message in it begins like one of ours."""
    if "exception" in event:
        event["exception"] = textwrap.indent(event["exception"], "    ", lambda _line: True)
    return event


def _mask_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in _SECRET_KEYS and value:
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = mask(shown(value))
    return event
