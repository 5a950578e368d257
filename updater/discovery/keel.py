"""Keel's annotations on workloads: which policy they mean here, and which containers they speak of.

Source: keel.sh documentation, "Policies": all, major, minor, patch, force, glob and regexp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from updater.discovery.guess import policy_for
from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.model.image import ImageRef

POLICY: Final = "keel.sh/policy"
_KINDS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob"})


class KeelImage(NamedTuple):
    """One container of a workload that Keel keeps current; *policy* is None where nothing here means the same."""

    workload: str
    image: ImageRef
    policy: Mapping[str, Any] | None
    tag_filter: Mapping[str, Any] | None
    reason: str


def find_images(value: Any) -> Iterator[KeelImage]:
    """Yield the containers of a workload with Keel's annotation, or label."""
    if not isinstance(value, dict) or value.get("kind") not in _KINDS:
        return
    metadata = value.get("metadata") or {}
    word = _word(metadata)
    if not word or word == "never":
        return
    for text in _images(value.get("spec"), 0):
        try:
            ref = parse_ref(text)
        except ImageSyntaxError:
            continue
        policy, tag_filter, reason = _policy(word, ref.tag)
        yield KeelImage(str(metadata.get("name")), ref, policy, tag_filter, reason)


def _word(metadata: Any) -> str:
    if not isinstance(metadata, dict):
        return ""
    for block in ("annotations", "labels"):
        found = metadata.get(block)
        if isinstance(found, dict) and isinstance(found.get(POLICY), str):
            return str(found[POLICY])
    return ""


def _images(value: Any, depth: int) -> Iterator[str]:
    if depth > 8 or not isinstance(value, dict):
        return
    for block in ("initContainers", "containers"):
        for container in value.get(block) or () if isinstance(value.get(block), list) else ():
            if isinstance(container, dict) and isinstance(container.get("image"), str):
                yield container["image"]
    for key in ("template", "spec", "jobTemplate"):
        yield from _images(value.get(key), depth + 1)


def _policy(word: str, tag: str | None) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None, str]:
    said = f"Keel's policy {word}"
    if word in {"all", "major"}:
        return {"semver": {"range": "*"}}, None, said
    if word in {"minor", "patch"}:
        policy, reason = policy_for(tag)
        if policy is None or "semver" not in policy or tag is None:
            return None, None, f"{said}, but {reason}"
        return {"semver": {"range": f"{'^' if word == 'minor' else '~'}{tag.removeprefix('v')}"}}, None, said
    if word == "force":
        return {"digest": {"tag": tag or "latest"}}, None, said
    kind, _, text = word.partition(":")
    if kind == "regexp" and text:
        return {"latest": {}}, {"allow": text}, said
    return None, None, f"{said} has no counterpart: choose a policy"
