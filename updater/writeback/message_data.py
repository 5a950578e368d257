"""What a message template is shown: the data of both peers, so that their templates work, and our own.

Sources: Flux, ``messageTemplate`` of ImageUpdateAutomation; Argo CD Image Updater, ``git.commit-message-template`` and
the branch template of ``git-branch``. Everything is in a fixed order, so the same updates make the same text.

That peer makes one commit for each Application. Here one commit may hold several, so their names stand where it has one.
"""

from __future__ import annotations

import hashlib
import posixpath
from typing import TYPE_CHECKING, Final

from updater.model.image import DOCKER_HUB
from updater.templates import StringMap, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from updater.model.image import ImageName
    from updater.model.update import Change, Update

APPLICATION: Final = "Application"
NAMES_LENGTH: Final = 40
_FILE: Final = "file"
_GONE: Final = {
    "Updated": "it left Flux at 1.0; write {{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }}{{ end }}",
}
_GONE_CHANGED: Final = {
    "ImageResult": "it left Flux at 1.0; write {{ range .Changed.Changes }}{{ .NewValue }}{{ end }}, or name .Changes",
}


def message_data(
    updates: Sequence[Update],
    changes: Mapping[Update, tuple[Change, ...]],
    values: Mapping[str, str] | None = None,
    *,
    owner: str = "",
) -> Struct:
    """Return the data of a commit message; *changes* are what each update changed, *values* and *owner* those of the commit spec.

    With an *owner* the files of ``.Changed`` are named from the folder in which its markers count, as Flux names them.
    """
    places = sorted(
        ((change, update) for update in updates for change in changes.get(update, ())),
        key=lambda pair: (pair[0].path, pair[0].line, pair[0].where),
    )
    namespace, name = owner.split("/", 1) if "/" in owner else origin_name(updates)
    shown = [(change, _path_below(change, update) if owner else change.path) for change, update in places]
    return Struct(
        "TemplateData",
        (
            ("AutomationObject", _namespaced(namespace, name)),
            ("Changed", _changed(shown)),
            ("Values", StringMap(values or {})),
            *_application(updates),
            ("AppChanges", _app_changes(updates)),
            ("Changes", [_own(change, update) for change, update in places]),
        ),
        hints=_GONE,
    )


def branch_data(updates: Sequence[Update], target: str = "") -> Struct:
    """Return the data of a branch name; *target* is the text of the place that is written to, behind ``.TargetKey``."""
    return Struct("BranchData", _application(updates, target))


def _application(updates: Sequence[Update], target: str = "") -> tuple[tuple[str, object], ...]:
    asked = [_asked_by(update) for update in updates]
    images = dict.fromkeys((_path(update.written_as.name), _alias(update), *_moved(update)) for update in updates)
    joined = "".join(f"{name}-{old}-{new}," for name, _, old, new in images)
    where = target or (_place(updates[0]) if updates else "")
    return (
        ("AppName", joined_names(name for _, name in asked)),
        ("AppNamespace", joined_names(namespace for namespace, _ in asked if namespace)),
        ("Images", [_struct("Image", ("Name", "Alias", "OldTag", "NewTag"), image) for image in images]),
        ("SHA256", hashlib.sha256(joined.encode()).hexdigest()),
        ("TargetKey", hashlib.sha256(where.encode()).hexdigest()[:8]),
    )


def _asked_by(update: Update) -> tuple[str, str]:
    """Return namespace and name of the object that asked; for a subscription of a file, which has none, its key."""
    if update.origin.partition(" ")[0] == _FILE:
        return "", update.subscription
    return origin_name([update])


def joined_names(names: Iterable[str], length: int = NAMES_LENGTH) -> str:
    """Return *names* once each with commas between them: the first one, and as many more as *length* has room for."""
    distinct = list(dict.fromkeys(names))
    shown = distinct[:1]
    for name in distinct[1:]:
        if len(", ".join([*shown, name])) > length:
            break
        shown.append(name)
    left = len(distinct) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def _place(update: Update) -> str:
    """Name repository, branch and file that an update is written to: what a branch of its own is known by."""
    target = update.target
    if target.destination.method == "git":
        return f"{target.destination.url}|{target.destination.branch}|{target.locator.path}"
    return str(target.destination)


def old_tag(update: Update) -> str:
    """Return what is replaced, without the image name: the tag, the digest or both."""
    written = update.reading.written
    return _tag(written.tag, written.digest)


def new_tag(update: Update) -> str:
    """Return what is written, without the image name."""
    image = update.image
    return _tag(image.tag, str(image.digest) if image.digest else None) or str(update.written_as.tag or "")


def _tag(tag: str | None, digest: str | None) -> str:
    return "@".join(part for part in (tag, digest) if part)


def origin_name(updates: Sequence[Update]) -> tuple[str, str]:
    """Return namespace and name of the object that asked first: ``Application argocd/app`` asks as ``argocd``, ``app``."""
    words = updates[0].origin.split(" ", 1) if updates else [""]
    namespace, slash, name = words[-1].partition("/")
    return (namespace, name) if slash else ("", words[-1])


def _namespaced(namespace: str, name: str) -> Struct:
    return Struct("types.NamespacedName", (("Namespace", namespace), ("Name", name)), text=f"{namespace}/{name}")


def _app_changes(updates: Sequence[Update]) -> list[Struct]:
    """Return each move of an image once, over all Applications; labels are asked of no registry for the sake of a text."""
    moves = dict.fromkeys((_path(update.written_as.name), *_moved(update)) for update in updates)
    return [_struct("ChangeEntry", ("Image", "OldTag", "NewTag", "Labels"), (*move, StringMap())) for move in moves]


def _moved(update: Update) -> tuple[str, str]:
    """Return what is replaced and what is written as the peer says it: the digest alone where there is one, else the tag."""
    return old_tag(update).rpartition("@")[2], new_tag(update).rpartition("@")[2]


def _struct(type_name: str, names: Sequence[str], values: Sequence[object]) -> Struct:
    return Struct(type_name, tuple(zip(names, values, strict=True)))


def _path(name: ImageName) -> str:
    """Return an image's name without its registry, as the peer's templates show it: ``org/app`` of ``ghcr.io/org/app``."""
    host, _, rest = name.spelled.partition("/")
    if not rest or not ("." in host or ":" in host or host == "localhost"):
        return name.spelled
    return rest.removeprefix("library/") if name.registry == DOCKER_HUB else rest


def _alias(update: Update) -> str:
    """Return what an Application calls its image: the key without the Application; of others the key."""
    kind, _, name = update.origin.partition(" ")
    return update.subscription.removeprefix(f"{name}/") if kind == APPLICATION else update.subscription


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


def _path_below(change: Change, update: Update) -> str:
    """Return the path of a change from the folder of its target, which is above it where the target is a search for markers."""
    folder = posixpath.normpath(update.target.locator.path).lstrip("/")
    inside = change.path.removeprefix(f"{folder}/")
    return inside if update.target.editor == "marker" else change.path


def _changed(changes: Sequence[tuple[Change, str]]) -> Struct:
    """Return what changed by file, by object and once each; every change comes with the path that its file has there."""
    files: dict[str, dict[Struct, list[Struct]]] = {}
    objects: dict[Struct, list[Struct]] = {}
    every: dict[Struct, None] = {}
    for change, path in changes:
        shown, thing = _flux_change(change), _object(change.object_id)
        files.setdefault(path, {}).setdefault(thing, []).append(shown)
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
