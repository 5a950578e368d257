"""Read JSON from other programs: duplicate keys, NaN, long numbers and deep nesting are refused."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from updater.documents.base import DEFAULT_CAPS, DocumentLimits, Stop, as_error, checked, too_deep
from updater.model.problem import Problem
from updater.reasons import json_reason

_HINT: Final = "JSON has double quotes, no comments, and no comma after the last entry"
_LONGEST_NUMBER: Final = 40


def load_json(path: str, data: bytes, *, caps: DocumentLimits = DEFAULT_CAPS) -> Any:
    """Read one JSON text (RFC 8259); duplicate keys, NaN and deep nesting are refused. Raise `ConfigError`."""
    try:
        text = checked(path, data, caps).decode()
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_integer)
    except Stop as stop:
        raise as_error((stop.problem,)) from None
    except json.JSONDecodeError as error:
        message = f"not JSON: {json_reason(error)}"
        raise as_error((Problem(path=path, line=error.lineno, code="json", message=message, hint=_HINT),)) from None
    except RecursionError:
        raise as_error((too_deep(path, None, caps),)) from None
    except ValueError as error:
        raise as_error((Problem(path=path, code="json", message=f"not JSON: {json_reason(error)}", hint=_HINT),)) from None
    if _depth_exceeds(value, caps.depth):
        raise as_error((too_deep(path, None, caps),))
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in names if names.count(key) > 1)!r} is defined twice in one object")
    return made


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} digits is too long")
    return int(text)


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            part
            for item in level
            if isinstance(item, (dict, list))
            for part in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
