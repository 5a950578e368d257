"""The fields of Flux's ImageRepository, ImagePolicy and ImageUpdateAutomation, and which values they take.

Source: the API of image.toolkit.fluxcd.io at v1; v1beta2 has the same fields and is accepted from files.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from updater.errors import UpdaterError
from updater.flux.request.proposals import AT, read_proposal
from updater.model.image import parse_name
from updater.model.problem import Problem
from updater.model.subscription import PolicySpec
from updater.settings import checks
from updater.settings.fields import nearest
from updater.settings.problems import dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from updater.documents import Document

GROUP: Final = "image.toolkit.fluxcd.io"
VERSIONS: Final = ("v1", "v1beta2")
_DURATION: Final = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
_TIMEOUT: Final = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m))+")
_NAMED: Final[Mapping[str, Any]] = {"name!": str}
_ORDER: Final = ("asc", "desc")

# A map lists its fields, with ! behind those that must stand; a tuple is an enumeration; a one-element list is
# a list of that; a type is a scalar; None is anything.
_SPECS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ImageRepository": {
        "image!": "image",
        "interval!": "duration",
        "timeout": "timeout",
        "secretRef": _NAMED,
        "serviceAccountName": str,
        "certSecretRef": _NAMED,
        "proxySecretRef": _NAMED,
        "insecure": bool,
        "provider": ("generic", "aws", "azure", "gcp"),
        "exclusionList": ["regex"],
        "accessFrom": {"namespaceSelectors": [{"matchLabels": None}]},
        "suspend": bool,
    },
    "ImagePolicy": {
        "imageRepositoryRef!": {"name!": str, "namespace": str},
        "policy!": {"semver": {"range!": "range"}, "alphabetical": {"order": _ORDER}, "numerical": {"order": _ORDER}},
        "filterTags": {"pattern": "regex", "extract": str},
        "digestReflectionPolicy": ("Never", "IfNotPresent", "Always"),
        "interval": "duration",
        "suspend": bool,
    },
    "ImageUpdateAutomation": {
        "sourceRef!": {"apiVersion": str, "kind!": ("GitRepository",), "name!": str, "namespace": str},
        "interval!": "duration",
        "policySelector": None,
        "git": {
            "checkout": {"ref!": {"branch": str, "tag": str, "semver": str, "name": str, "commit": str}},
            "commit!": {
                "author!": {"name": str, "email!": str},
                "messageTemplate": "template",
                "messageTemplateValues": None,
                "signingKey": {"secretRef": _NAMED, "type": ("gpg", "ssh")},
            },
            "push": {"branch": str, "refspec": str, "options": None},
        },
        "update": {"path": str, "strategy": ("Setters",)},
        "suspend": bool,
    },
}

_MESSAGE: Final = ("spec", "git", "commit", "messageTemplate")
_Place = tuple[str | int, ...]
Flaw = tuple[_Place, str, str, str]


def is_flux(value: Any) -> bool:
    """Return whether a document is of Flux's image group, whatever its kind and version."""
    return isinstance(value, dict) and str(value.get("apiVersion", "")).partition("/")[0] == GROUP


def flux_objects(document: Document) -> tuple[Document, ...]:
    """Return the objects of Flux's image group in a document: itself, or those of the List that `kubectl get` writes."""
    value = document.value
    if is_flux(value):
        return (document,)
    if not isinstance(value, dict) or value.get("kind") != "List" or not isinstance(value.get("items"), list):
        return ()
    found = ((index, item) for index, item in enumerate(value["items"]) if is_flux(item))
    return tuple(replace(document, value=item, mark=document.mark.find(("items", index))) for index, item in found)


def policy_name(value: Any) -> str | None:
    """Return ``namespace:name`` of an ImagePolicy, without namespace ``:name``; None for everything else."""
    if not is_flux(value) or value.get("kind") != "ImagePolicy" or not isinstance(value.get("metadata"), dict):
        return None
    metadata = value["metadata"]
    return f"{metadata.get('namespace') or ''}:{metadata.get('name')}"


def check_object(document: Document, try_template: Callable[[str], None] | None = None) -> Iterator[Problem]:
    """Yield what is wrong with one object: its kind, unknown and missing fields, and values that nothing can read.

    *try_template* renders the template of a commit message, and raises `TemplateError` where that fails.
    """
    flaws = [*_object_flaws(document.value), *_template_flaws(document.value, try_template)]
    for place, code, message, hint in flaws:
        mark = document.mark.find(place)
        shown = dotted(place)
        said = f"{shown}: {message}" if shown else message
        yield Problem(path=mark.path, line=mark.line, code=code, message=said, hint=hint)


def spec_flaws(kind: str, spec: Any) -> Iterator[Flaw]:
    """Yield what is wrong in the spec of an object of the cluster: place, code, message and hint."""
    if spec is None:
        yield (), "missing-key", "the object has no spec", ""
        return
    yield from _flaws(spec, _SPECS.get(kind), ("spec",))
    if isinstance(spec, dict):
        yield from _RULES.get(kind, _no_rule)(spec)


def _version_hint(version: str, kind: str) -> str:
    """Return how an object of an older version is written today."""
    if version == "v1alpha1" and kind == "ImageUpdateAutomation":
        moved = "spec.checkout is now spec.sourceRef and spec.git.checkout"
        return f"write {GROUP}/v1; {moved}, spec.commit is spec.git.commit, spec.push is spec.git.push"
    return f"write {GROUP}/v1, and check the fields that are reported below it"


def _object_flaws(value: Mapping[str, Any]) -> Iterator[Flaw]:
    version, kind = str(value.get("apiVersion")).partition("/")[2], str(value.get("kind"))
    if version not in VERSIONS:
        yield ("apiVersion",), "api-version", f"{version!r} is not read", _version_hint(version, kind)
    spec = _SPECS.get(kind)
    if spec is None:
        yield ("kind",), "kind", f"{GROUP} has no kind {kind!r}", nearest(kind, list(_SPECS))
        return
    for field in value:
        if field not in {"apiVersion", "kind", "metadata", "spec", "status"}:
            yield (field,), "unknown-key", "this field is not known", nearest(field, ["metadata", "spec"])
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        yield ("metadata",), "missing-key", "the object has no name", "write metadata: {name: …}"
    if kind == "ImageUpdateAutomation" and isinstance(metadata, dict):
        yield from _proposal_flaws(metadata)
    yield from spec_flaws(kind, value.get("spec"))


def _proposal_flaws(metadata: Mapping[str, Any]) -> Iterator[Flaw]:
    try:
        read_proposal(metadata)
    except UpdaterError as error:
        yield AT, error.code, error.message, error.hint


def _template_flaws(value: Mapping[str, Any], try_template: Callable[[str], None] | None) -> Iterator[Flaw]:
    """Try a message that parses: a field that left Flux, or never was there, ends every commit."""
    text: Any = value
    for part in _MESSAGE:
        text = text.get(part) if isinstance(text, dict) else None
    if value.get("kind") != "ImageUpdateAutomation" or not isinstance(text, str) or try_template is None:
        return
    try:
        checks.check_template(text)
    except UpdaterError:
        return  # said already
    try:
        try_template(text)
    except UpdaterError as error:
        yield _MESSAGE, error.code, error.message, error.hint


def _flaws(value: Any, rule: Any, place: _Place) -> Iterator[Flaw]:
    if rule is None:
        return
    if isinstance(rule, dict):
        yield from _map_flaws(value, rule, place)
    elif isinstance(rule, list):
        if not isinstance(value, list):
            yield place, "wrong-type", "expected a list", ""
            return
        for index, item in enumerate(value):
            yield from _flaws(item, rule[0], (*place, index))
    else:
        yield from _scalar_flaws(value, rule, place)


def _map_flaws(value: Any, rule: Mapping[str, Any], place: _Place) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield place, "wrong-type", "expected a mapping", ""
        return
    known = {name.rstrip("!"): below for name, below in rule.items()}
    for name, item in value.items():
        if name not in known:
            yield (*place, name), "unknown-key", "this field is not known", nearest(name, list(known))
        elif item is not None:
            yield from _flaws(item, known[name], (*place, name))
    for name in rule:
        if name.endswith("!") and value.get(name[:-1]) is None:
            yield (*place, name[:-1]), "missing-key", "this field is missing", ""


def _scalar_flaws(value: Any, rule: Any, place: _Place) -> Iterator[Flaw]:
    if isinstance(rule, tuple):
        if value not in rule:
            yield place, "bad-value", f"expected {' or '.join(rule)}", nearest(str(value), rule)
    elif rule is bool:
        if not isinstance(value, bool):
            yield place, "wrong-type", "expected true or false", ""
    elif not isinstance(value, str):
        yield place, "wrong-type", "expected text", "put it in quotes"
    elif isinstance(rule, str):
        try:
            _READERS[rule](value)
        except UpdaterError as error:
            yield place, error.code, error.message, error.hint


def _duration(text: str) -> None:
    if not _DURATION.fullmatch(text):
        raise UpdaterError(f"{text!r} is not a duration", hint="write hours, minutes or seconds, such as 5m", code="duration")


def _timeout(text: str) -> None:
    if not _TIMEOUT.fullmatch(text):
        raise UpdaterError(f"{text!r} is not a timeout", hint="write minutes or seconds, such as 90s", code="duration")


def _regex(text: str) -> None:
    checks.check_filter(allow=text)


def _range(text: str) -> None:
    checks.check_policy(PolicySpec("semver", {"range": text}))


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "image": parse_name,
    "duration": _duration,
    "timeout": _timeout,
    "regex": _regex,
    "range": _range,
    "template": checks.check_template,
}


def _no_rule(_spec: Mapping[str, Any]) -> Iterator[Flaw]:
    yield from ()


def _policy_rules(spec: Mapping[str, Any]) -> Iterator[Flaw]:
    policy = spec.get("policy")
    kinds = [name for name in ("semver", "alphabetical", "numerical") if isinstance(policy, dict) and name in policy]
    if isinstance(policy, dict) and len(kinds) != 1:
        yield ("spec", "policy"), "policy", "a policy is exactly one of semver, alphabetical and numerical", "keep one of them"
    is_always = spec.get("digestReflectionPolicy") == "Always"
    if is_always and not spec.get("interval"):
        yield ("spec", "interval"), "missing-key", "digestReflectionPolicy: Always needs an interval", "write interval: 10m"
    if not is_always and spec.get("interval"):
        hint = "take it out, or set digestReflectionPolicy: Always"
        yield ("spec", "interval"), "bad-value", "interval is allowed only with digestReflectionPolicy: Always", hint
    tags = spec.get("filterTags")
    if isinstance(tags, dict) and isinstance(tags.get("pattern"), str) and isinstance(tags.get("extract"), str):
        try:
            checks.check_filter(allow=tags["pattern"], extract=tags["extract"])
        except UpdaterError as error:
            if "extract" in error.message:
                yield ("spec", "filterTags", "extract"), error.code, error.message, error.hint


def _repository_rules(spec: Mapping[str, Any]) -> Iterator[Flaw]:
    listed = spec.get("exclusionList")
    if isinstance(listed, list) and len(listed) > 25:
        yield ("spec", "exclusionList"), "bad-value", "at most 25 expressions are allowed", "join some of them by |"


_RULES: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[Flaw]]]] = {
    "ImagePolicy": _policy_rules,
    "ImageRepository": _repository_rules,
}
