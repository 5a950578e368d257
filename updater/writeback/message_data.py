"""Knows what a message template is shown: the data of both peers, so that their templates work, and our own.

Sources: Flux, ``messageTemplate`` of ImageUpdateAutomation; Argo CD Image Updater, ``git.commit-message-template`` and
the branch template of ``git-branch``. Everything is in a fixed order, so the same updates make the same text.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from updater.templates import StringMap, Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.model.update import Change, Update

_GONE: Final = {
    "Updated": "it left Flux at 1.0; write {{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }}{{ end }}",
}
_GONE_CHANGED: Final = {
    "ImageResult": "it left Flux at 1.0; write {{ range .Changed.Changes }}{{ .NewValue }}{{ end }}, or name .Changes",
}


def message_data(
    updates: Sequence[Update], changes: Mapping[Update, tuple[Change, ...]], values: Mapping[str, str] | None = None
) -> Struct:
    """Give the data of a commit message; *changes* are what each update changed, *values* those of the voice."""
    places = sorted(
        ((change, update) for update in updates for change in changes.get(update, ())),
        key=lambda pair: (pair[0].path, pair[0].line, pair[0].where),
    )
    namespace, name = origin_name(updates)
    return Struct(
        "TemplateData",
        (
            ("AutomationObject", _namespaced(namespace, name)),
            ("Changed", _changed([change for change, _ in places])),
            ("Values", StringMap(values or {})),
            *_application(updates, namespace, name),
            ("AppChanges", [_app_change(update) for update in once(updates)]),
            ("Changes", [_own(change, update) for change, update in places]),
        ),
        hints=_GONE,
    )


def branch_data(updates: Sequence[Update], target: str = "") -> Struct:
    """Give the data of a branch name; *target* is the text of the place that is written to, behind ``.TargetKey``."""
    namespace, name = origin_name(updates)
    return Struct("BranchData", _application(updates, namespace, name, target))


def _application(updates: Sequence[Update], namespace: str, name: str, target: str = "") -> tuple[tuple[str, object], ...]:
    moves = once(updates)
    joined = "".join(f"{move.written_as.name}-{old_tag(move)}-{new_tag(move)}," for move in moves)
    where = target or (str(moves[0].target.destination) if moves else "")
    return (
        ("AppName", name),
        ("AppNamespace", namespace),
        ("Images", [_image(move) for move in moves]),
        ("SHA256", hashlib.sha256(joined.encode()).hexdigest()),
        ("TargetKey", hashlib.sha256(where.encode()).hexdigest()[:8]),
    )


def once(updates: Sequence[Update]) -> list[Update]:
    """Give one update of each move: the same image from the same value to the same is told once."""
    seen: dict[tuple[str, str, str, str], Update] = {}
    for update in updates:
        seen.setdefault((update.subscription, str(update.written_as.name), old_tag(update), new_tag(update)), update)
    return list(seen.values())


def old_tag(update: Update) -> str:
    """Give what is replaced, without the image name: the tag, the digest or both."""
    written = update.reading.written
    return _tag(written.tag, written.digest)


def new_tag(update: Update) -> str:
    """Give what is written, without the image name."""
    image = update.image
    return _tag(image.tag, str(image.digest) if image.digest else None) or str(update.written_as.tag or "")


def _tag(tag: str | None, digest: str | None) -> str:
    return "@".join(part for part in (tag, digest) if part)


def origin_name(updates: Sequence[Update]) -> tuple[str, str]:
    """Give namespace and name of the object that asked first: ``Application argocd/app`` asks as ``argocd``, ``app``."""
    words = updates[0].origin.split(" ", 1) if updates else [""]
    namespace, slash, name = words[-1].partition("/")
    return (namespace, name) if slash else ("", words[-1])


def _namespaced(namespace: str, name: str) -> Struct:
    return Struct("types.NamespacedName", (("Namespace", namespace), ("Name", name)), text=f"{namespace}/{name}")


def _image(update: Update) -> Struct:
    fields = (
        ("Name", str(update.written_as.name)),
        ("Alias", update.subscription),
        ("OldTag", old_tag(update)),
        ("NewTag", new_tag(update)),
    )
    return Struct("Image", fields)


def _app_change(update: Update) -> Struct:
    fields = (
        ("Image", str(update.written_as.name)),
        ("OldTag", old_tag(update)),
        ("NewTag", new_tag(update)),
        ("Labels", StringMap()),
    )
    return Struct("ChangeEntry", fields)


def _own(change: Change, update: Update) -> Struct:
    fields = (
        ("Subscription", update.subscription),
        ("Image", str(update.written_as.name)),
        ("Old", change.old),
        ("New", change.new),
        ("Policy", update.policy),
        ("Origin", update.origin),
        ("Path", change.path),
        ("Line", change.line),
    )
    return Struct("Change", fields)


def _changed(changes: Sequence[Change]) -> Struct:
    files: dict[str, dict[Struct, list[Struct]]] = {}
    objects: dict[Struct, list[Struct]] = {}
    every: dict[Struct, None] = {}
    for change in changes:
        shown, thing = _flux_change(change), _object(change.object_id)
        files.setdefault(change.path, {}).setdefault(thing, []).append(shown)
        objects.setdefault(thing, []).append(shown)
        every.setdefault(shown)
    fields = (("FileChanges", files), ("Objects", objects), ("Changes", list(every)))
    return Struct("update.ResultV2", fields, hints=_GONE_CHANGED)


def _flux_change(change: Change) -> Struct:
    return Struct("update.Change", (("OldValue", change.old), ("NewValue", change.new), ("Setter", change.setter)))


def _object(identity: tuple[str, str, str, str]) -> Struct:
    version, kind, namespace, name = identity
    type_meta = Struct("yaml.TypeMeta", (("APIVersion", version), ("Kind", kind)))
    name_meta = Struct("yaml.NameMeta", (("Name", name), ("Namespace", namespace)))
    parts = (("TypeMeta", type_meta), ("NameMeta", name_meta))
    inner = Struct("yaml.ResourceIdentifier", parts, embedded=frozenset({"TypeMeta", "NameMeta"}))
    return Struct("update.ObjectIdentifier", (("ResourceIdentifier", inner),), embedded=frozenset({"ResourceIdentifier"}))
