"""The API as an OpenAPI document: made from the values that it answers, so that it cannot say anything else."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from updater.model import problem, progress
from updater.web import acts, api, detail, events, fleet, health

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION: Final = "3.1.0"
_MODULES: Final = (fleet, detail, events, health, acts, problem, progress)
_SCALARS: Final[Mapping[str, Mapping[str, Any]]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
}
_TUPLE: Final = re.compile(r"tuple\[(\w+), \.\.\.\]")
_MAPPING: Final = re.compile(r"Mapping\[str, (\w+)\]")
_ROWS: Final = (
    ("q", "Text to look for in key and image."),
    ("key", "A key, a glob, or namespace/name of an Application; repeats."),
    ("state", "A state; repeats."),
    ("source", "The kind of what asked for a subscription; repeats."),
    ("namespace", "The namespace of the object that asked; repeats."),
    ("sort", f"One of {', '.join(sorted(fleet.SORTS))}."),
    ("order", "asc or desc."),
    ("offset", "How many rows to pass over."),
    ("limit", f"How many rows at most, up to {fleet.MOST_ROWS}; {fleet.USUAL_ROWS} by default."),
)
_PREVIEWED: Final = (
    ("act", "What would be done; without it, what a pass would write now."),
    ("tag", "Of a pin."),
    ("image", "Of a rejection."),
)
_BODY: Final[Mapping[str, str]] = {
    "reason": "Why, for those who read it later.",
    "until": "When it ends, such as 2026-12-01T09:00:00Z.",
    "for": "How long it lasts, such as 4h.",
    "tag": "The tag to stay at.",
    "image": "A tag, or a digest under any tag.",
    "form_token": "The form_token of the session, where a browser asks.",
}


def document(version: str) -> dict[str, Any]:
    """Return the document of the API of a program of this *version*."""
    return {
        "openapi": VERSION,
        "info": {"title": "updater", "version": version, "description": "The API at listen.web."},
        "paths": {
            api.SUBSCRIPTIONS: {"get": _reads("Search, filter, sort and page all subscriptions.", "RowPage", _ROWS)},
            f"{api.SUBSCRIPTIONS}/{{key}}": {"get": _reads("Read one subscription in full.", "SubscriptionDetail", keyed=True)},
            f"{api.SUBSCRIPTIONS}/{{key}}/preview": {
                "get": _reads("Read what would be written, as a diff.", "ChangePreview", _PREVIEWED, keyed=True)
            },
            **{f"{api.SUBSCRIPTIONS}/{{key}}/{kind}": {"post": _act(kind)} for kind in acts.ActKind},
            api.EVENTS: {"get": _stream()},
            api.RECENT: {"get": _reads("Read the last events.", "", (("limit", "How many at most."),))},
            "/api/v1/session": {"get": _reads("Read who asks, what they may do, and the token for forms.", "")},
            api.HEALTH: {"get": _reads("Read how registries, Git hosts and sources are.", "FleetHealth")},
        },
        "components": {"schemas": dict(sorted(_schemas())), "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}},
        "security": [{}, {"basic": []}],
    }


def _reads(summary: str, answered: str, asked: tuple[tuple[str, str], ...] = (), *, keyed: bool = False) -> dict[str, Any]:
    parameters = [_parameter(name, text) for name, text in asked]
    schema = {"$ref": f"#/components/schemas/{answered}"} if answered else {"type": "object"}
    return {
        "summary": summary,
        "parameters": [*([_KEY] if keyed else []), *parameters],
        "responses": {"200": {"description": "It.", "content": {"application/json": {"schema": schema}}}, "default": _REFUSED},
    }


def _act(kind: acts.ActKind) -> dict[str, Any]:
    names = sorted({"reason", "form_token"} | acts.FIELDS[kind])
    needed = sorted({"reason", acts.NEEDED.get(kind, "reason")}) if kind is not acts.ActKind.SCAN else []
    schema = {
        "type": "object",
        "properties": {name: {"type": "string", "description": _BODY[name]} for name in names},
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }
    done = {"schema": {"$ref": "#/components/schemas/ActDone"}}
    return {
        "summary": f"Do what `updater {kind}` does." if kind is not acts.ActKind.SCAN else "Scan the image at once.",
        "parameters": [_KEY],
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "It is done.", "content": {"application/json": done}}, "default": _REFUSED},
    }


def _stream() -> dict[str, Any]:
    content = {"text/event-stream": {"schema": {"$ref": "#/components/schemas/FleetEvent"}}}
    return {
        "summary": "Follow what happens, as server-sent events. `reset` says that some are not kept any more.",
        "parameters": [_parameter("after", "The id of the last event that is known, as Last-Event-ID has it.")],
        "responses": {"200": {"description": "Events.", "content": content}, "default": _REFUSED},
    }


def _parameter(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}


_KEY: Final = {
    "name": "key",
    "in": "path",
    "required": True,
    "description": "The key of a subscription, percent-encoded.",
    "schema": {"type": "string"},
}
_REFUSED: Final = {
    "description": "It is refused.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def _schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    text = {"type": "string"}
    error = {"code": text, "message": text, "hint": {"type": ["string", "null"]}}
    inner = {"type": "object", "properties": error, "required": sorted(error)}
    yield "Error", {"type": "object", "properties": {"error": inner}, "required": ["error"]}
    for module in _MODULES:
        for name, found in vars(module).items():
            if not isinstance(found, type) or found.__module__ != module.__name__ or name.startswith("_"):
                continue
            if issubclass(found, Enum):
                yield name, {"type": "string", "enum": [item.value for item in found]}
            elif is_dataclass(found) and name not in _INNER:
                yield name, _object(found)


#: values of which nothing is answered
_INNER: Final = frozenset({"RowQuery", "FleetTable", "DetailFacts", "EventPart", "ActOrder"})


def _object(found: type) -> dict[str, Any]:
    names = [each.name for each in fields(found)]
    docs = " ".join((found.__doc__ or "").split())
    return {
        "type": "object",
        "description": docs,
        "properties": {each.name: _typed(str(each.type)) for each in fields(found)},
        "required": sorted(names),
    }


def _typed(text: str) -> dict[str, Any]:
    """Return the schema of an annotation."""
    bare = text.removesuffix(" | None")
    if bare != text:
        inner = _typed(bare)
        kind = inner.get("type")
        return {**inner, "type": [kind, "null"]} if kind else {"anyOf": [inner, {"type": "null"}]}
    if found := _TUPLE.fullmatch(bare):
        return {"type": "array", "items": _typed(found[1])}
    if found := _MAPPING.fullmatch(bare):
        return {"type": "object", "additionalProperties": _typed(found[1])}
    return dict(_SCALARS[bare]) if bare in _SCALARS else {"$ref": f"#/components/schemas/{bare}"}
