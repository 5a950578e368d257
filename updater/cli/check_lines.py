"""The JSON of `updater check`: lines of requests in, lines of answers out, and tags with their facts.

A line that cannot be answered is answered with what is wrong with it; it never ends the others.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from updater.errors import UpdaterError
from updater.model.candidate import Candidate
from updater.model.image import Digest, Platform, parse_digest, parse_platform
from updater.model.subscription import Downgrade, Variant
from updater.policies import DEFAULT, build, build_filter, filter_from, spec_from
from updater.policies.base import nearest
from updater.policies.choose import SelectionRequest, choose, drive
from updater.reasons import json_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.selection import Selection

MAX_LINE: Final = 32 * 1024 * 1024
_REST: Final = 1024 * 1024
_BAD_JSON: Final = "json"
_BAD_REQUEST: Final = "request"
_KEYS: Final = dict.fromkeys(
    ("id", "tags", "policy", "filter", "platforms", "current", "downgrade", "allow_downgrade", "variant")
)
_TAG_KEYS: Final = dict.fromkeys(("tag", "created", "pushed", "digest", "platforms"))


def answer_lines(lines: BinaryIO, answers: BinaryIO) -> bool:
    """Answer every line of *lines* on *answers* at once, in order; blank lines are passed over.

    Return False if there were lines and every one of them failed.
    """
    count = failed = 0
    while line := lines.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            _skip_rest(lines)
            answer = _failed(None, UpdaterError(f"the line is longer than {MAX_LINE} bytes", code=_BAD_REQUEST))
        elif line.strip():
            answer = answer_line(line)
        else:
            continue
        answers.write(json.dumps(answer, separators=(",", ":"), allow_nan=False).encode() + b"\n")
        answers.flush()
        count += 1
        failed += answer["status"] == "failed"
    return count == 0 or failed < count


def answer_line(line: bytes) -> dict[str, Any]:
    """Answer one request."""
    identity = None
    try:
        asked = read_json(line)
        if not isinstance(asked, dict):
            raise _wrong("the line is not a JSON object", 'write {"id": 1, "tags": ["1.0.0"], "policy": {"semver": {}}}')
        if isinstance(asked.get("id"), (str, int, float, bool)):
            identity = asked["id"]
        selection = drive(choose(request_from(asked)), lambda _ask: None)
    except UpdaterError as error:
        return _failed(identity, error)
    return {"id": identity, **selection_as_json(selection), "error": None}


def selection_as_json(selection: Selection) -> dict[str, Any]:
    """Return status, tags and codes; of the rejected, those that match come first, best first."""
    return {
        "status": str(selection.status),
        "tag": selection.chosen.tag if selection.chosen else None,
        "held_tag": selection.held.tag if selection.held else None,
        "rejected": {tag: str(rejection.code) for tag, rejection in selection.rejections.items()},
    }


def failure_as_json(error: UpdaterError) -> dict[str, Any]:
    """Return the answer for what could not be decided."""
    said = {"code": error.code, "message": f"{error.message}; {error.hint}" if error.hint else error.message}
    return {"status": "failed", "tag": None, "held_tag": None, "rejected": {}, "error": said}


def request_from(asked: Mapping[str, Any]) -> SelectionRequest:
    """Read one request; raise `UpdaterError` for everything that is not exactly as it should be."""
    _check_keys(asked, _KEYS, "the request")
    if not isinstance(asked.get("tags"), list):
        raise _wrong("tags is not a list", 'write "tags": ["1.0.0", {"tag": "1.1.0", "created": "2025-01-31T12:00:00Z"}]')
    tag, digest = written_from(_text(asked, "current"))
    variant = _text(asked, "variant")
    if variant not in {None, *Variant}:
        raise _wrong(f"variant {variant!r} is not known", "write lock or any")
    return SelectionRequest(
        candidates=candidates_from(asked["tags"]),
        policy=build(spec_from(asked["policy"]) if asked.get("policy") is not None else DEFAULT),
        name_filter=build_filter(filter_from(asked.get("filter"))),
        platforms=_platforms(asked) or (),
        current=tag,
        current_digest=digest,
        downgrade=_downgrade(asked),
        variant=Variant(variant or Variant.LOCK),
    )


def written_from(text: str | None) -> tuple[str | None, Digest | None]:
    """Read what is written, ``tag``, ``tag@digest`` or nothing."""
    tag, at, digest = (text or "").partition("@")
    return tag or None, parse_digest(digest) if at else None


def candidates_from(tags: list[Any]) -> dict[str, Candidate]:
    """Read tags, each a text or an object with its facts; of one that is listed twice the first counts."""
    candidates: dict[str, Candidate] = {}
    for item in tags:
        candidate = Candidate(tag=item) if isinstance(item, str) else _candidate(item)
        candidates.setdefault(candidate.tag, candidate)
    return candidates


def read_json(data: bytes) -> Any:
    """Read JSON strictly: UTF-8, no NaN, no number that is none, no key twice, no nesting without end."""
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique)
    except RecursionError as error:
        raise UpdaterError("the JSON is nested too deeply", code=_BAD_JSON) from error
    except ValueError as error:  # UnicodeDecodeError, JSONDecodeError and numbers of thousands of digits
        column = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise UpdaterError(f"not JSON: {json_reason(error)}{column}", code=_BAD_JSON) from error


def _skip_rest(lines: BinaryIO) -> None:
    while (rest := lines.readline(_REST)) and not rest.endswith(b"\n"):
        pass


def _candidate(item: object) -> Candidate:
    if not isinstance(item, dict) or not isinstance(item.get("tag"), str):
        raise _wrong("one of tags is neither a text nor an object with a tag", 'write "1.0.0" or {"tag": "1.0.0"}')
    _check_keys(item, _TAG_KEYS, "a tag")
    digest = _text(item, "digest")
    return Candidate(
        tag=item["tag"],
        created=_moment(item, "created"),
        pushed=_moment(item, "pushed"),
        digest=parse_digest(digest) if digest else None,
        platforms=_platforms(item),
    )


def _moment(item: Mapping[str, Any], key: str) -> datetime | None:
    """Read an RFC 3339 time; one that cannot be read is not known, as one bad date must not end the rest."""
    text = _text(item, key)
    try:
        moment = datetime.fromisoformat(text) if text else None
        return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _platforms(item: Mapping[str, Any]) -> tuple[Platform, ...] | None:
    listed = item.get("platforms")
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise _wrong("platforms is not a list of texts", 'write "platforms": ["linux/amd64"]')
    return tuple(parse_platform(text) for text in listed)


def _text(item: Mapping[str, Any], key: str) -> str | None:
    value = item.get(key)
    if value is None or isinstance(value, str):
        return value
    raise _wrong(f"{key} is not a text", f'write "{key}": "…"')


def _flag(item: Mapping[str, Any], key: str) -> bool:
    value = item.get(key)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _wrong(f"{key} is neither true nor false", f'write "{key}": true')


def _downgrade(asked: Mapping[str, Any]) -> Downgrade:
    """Read the rule; true and false are understood at both of its names."""
    if asked.get("allow_downgrade") is not None:
        if asked.get("downgrade") is not None:
            raise _wrong("allow_downgrade and downgrade are both set", "remove allow_downgrade")
        return Downgrade.of_flag(is_allowed=_flag(asked, "allow_downgrade"))
    if isinstance(asked.get("downgrade"), bool):
        return Downgrade.of_flag(is_allowed=asked["downgrade"])
    rule = _text(asked, "downgrade")
    if rule not in {None, *Downgrade}:
        raise _wrong(f"downgrade {rule!r} is not known", "write never, by-policy or always")
    return Downgrade(rule or Downgrade.NEVER)


def _check_keys(item: Mapping[str, Any], known: Mapping[str, object], owner: str) -> None:
    for key in item:
        if key not in known:
            near = nearest(key, known)
            raise _wrong(f"{owner} has no {key!r}", f"did you mean {near!r}?" if near else "known: " + ", ".join(known))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has one key twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is beyond every number")
    return value


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _wrong(message: str, hint: str) -> UpdaterError:
    return UpdaterError(message, hint=hint, code=_BAD_REQUEST)


def _failed(identity: Any, error: UpdaterError) -> dict[str, Any]:
    return {"id": identity, **failure_as_json(error)}
