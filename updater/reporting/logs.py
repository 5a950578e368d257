"""Knows how log lines look, as JSON or for a console, and masks what must not be read in them."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import structlog

from updater.model.text import shown

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

_SECRET_KEYS: Final = frozenset({"password", "token", "authorization", "secret", "identity_token", "registry_token"})
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@]+@")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_SIGNED: Final = re.compile(r"(?i)([?&](?:x-amz-signature|x-amz-credential|sig|signature|token|access_token)=)[^&\s]+")


def mask(text: str) -> str:
    """Hide user names and passwords of URLs, tokens of headers, and signatures of queries."""
    if "://" in text:
        text = _SIGNED.sub(r"\1***", _USERINFO.sub("***@", text))
    return _BEARER.sub(r"\1 ***", text)


def configure(*, level: str = "info", form: str = "json", stream: Any = None) -> None:
    """Set up logging for the process: *form* is json or console, *level* debug, info, warning or error."""
    target: Any = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Callable[..., Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask_event,
    ]
    if form == "json":
        import orjson  # noqa: PLC0415 - a console user does not pay for it

        renderer: Callable[..., Any] = structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event, default=str)
        )
        buffer: Any = getattr(target, "buffer", None)
        factory: Any = structlog.BytesLoggerFactory(file=buffer)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=target.isatty(), pad_event_to=12, sort_keys=False)
        factory = structlog.PrintLoggerFactory(file=target)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )
    # libraries speak through the standard module; only their warnings are worth a line
    logging.basicConfig(
        stream=target, level=max(number, logging.WARNING), format="%(levelname)s %(name)s %(message)s", force=True
    )


def _mask_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in _SECRET_KEYS and value:
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = mask(shown(value))
    return event
