"""How a person's decision is written where people see it: the annotation of the object that asked, a file, or a ConfigMap.

What is written in a cluster is written with the person's own rights, on the version that was read.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from updater.daemon.decision_watch import DATA_KEY
from updater.daemon.one_shot import chosen, opened
from updater.engine.bad_releases import newest_commit
from updater.engine.rollbacks import taken_back
from updater.errors import ConfigError, KubeConflict, KubeGone
from updater.model.decision import Decisions, Pin, in_force
from updater.model.release import OnBad
from updater.settings.decisions import ANNOTATION_PREFIX, HOLD, KINDS, PIN, READMIT, annotation_texts, entry_of, read_annotation
from updater.settings.values import CONFIG_MAP
from updater.sources.holds_writer import edited_text, write_decision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.daemon.generation import Generation
    from updater.daemon.watching import Asking
    from updater.engine.landing import Landing
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Ref
    from updater.model.decision import Decision
    from updater.model.subscription import Subscription
    from updater.model.view import View

    Edit = Callable[[dict[str, Any]], dict[str, Any]]

ATTEMPTS: Final = 10
_FILE: Final = "file"
_LONG: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionWritten:
    """What became of one subscription: what is decided about it now, where that stands, and whether this changed it.

    *readmitted* are the commits of ours that people took back, and that may be written again from now on. *unread* says which
    branches or Applications could not be read for what people took back there, and why. *elsewhere* are decisions in force that
    another place holds: an ImageUpdater, an automation, the Application as a whole, `holds.yaml`.
    """

    key: str
    where: str
    entry: Mapping[str, Any]
    has_changed: bool
    readmitted: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    elsewhere: tuple[Decision, ...] = ()


async def decide(
    config: Sequence[str], key: str, edit: Edit, *, asking: Asking | None = None, releases: bool = False
) -> tuple[DecisionWritten, ...]:
    """Let *edit* change what is decided about *key*, a subscription or an Application with all its images.

    With *releases* the commits of ours that people took back are read and may be written again. Raise `UpdaterError`,
    `ConfigError` ``unknown-key`` with the nearest key for one that is not known.
    """
    async with opened(config, asking) as generation:
        subscriptions = chosen(generation, key)
        commits, unread = await _taken_back(generation, subscriptions) if releases else ({}, ())
        return tuple(
            [
                await write_decision_about(generation, item, edit, readmitted=commits.get(item.key, frozenset()), unread=unread)
                for item in subscriptions
            ]
        )


async def write_decision_about(
    generation: Generation,
    item: Subscription,
    edit: Edit,
    *,
    readmitted: frozenset[str] = frozenset(),
    unread: tuple[str, ...] = (),
) -> DecisionWritten:
    """Let *edit* change what is decided about *item*, where that stands; the commits *readmitted* may be written again.

    Raise `UpdaterError`.
    """
    done = await _write(generation, item, _readmitting(edit, readmitted), unread)
    return replace(done, readmitted=readmitted, elsewhere=_elsewhere(generation, item, done))


def _elsewhere(generation: Generation, item: Subscription, done: DecisionWritten) -> tuple[Decision, ...]:
    """Return what is in force and stands somewhere else than where decisions about *item* are written."""
    if item.origin.kind == _FILE:
        places = tuple(f"{done.where}{after}" for after in (":", " "))
    else:
        ref, alias = _object_of(generation, item)
        places = tuple(f"{ref} {_annotation(kind, alias)}" for kind in KINDS)
    besides = (each for each in in_force(item.decisions, time.time()) if each.code and not f"{each.where} ".startswith(places))
    return tuple(each for each in besides if not (isinstance(each, Pin) and PIN in done.entry))


async def _taken_back(
    generation: Generation, subscriptions: Sequence[Subscription]
) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    """Return, by subscription, the commits of ours that people took back; and which destinations could not be read."""
    generation.asked.decide(Decisions())  # a hold or a pin would hide what was closed besides
    landings = await generation.once(subscriptions, is_dry=True)
    return taken_back_by(landings, subscriptions)


def taken_back_by(
    landings: Sequence[Landing], subscriptions: Sequence[Subscription]
) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    """Return what dry *landings* show: by subscription the commits that people took back, and what could not be read."""
    found: dict[str, frozenset[str]] = {}
    for landing in landings:
        for item in subscriptions:
            closed = landing.landed.rejected if landing.landed else {}
            heads = {head for update, head in closed.items() if update.subscription == item.key and len(head) == _LONG}
            found[item.key] = (
                found.get(item.key, frozenset()) | taken_back(item, landing.view) | heads | _held(item, landing.view)
            )
    return found, tuple(
        f"{each.destination}: {each.outcomes[0].detail}" for each in landings if each.view is None and each.outcomes
    )


def _held(item: Subscription, view: View | None) -> frozenset[str]:
    """Return our newest commit where a bad one is held for a person: whether it is bad, only the daemon may know."""
    past = newest_commit(view.recent, item) if view is not None else None
    is_held = item.delivery is not None and item.delivery.on_bad is OnBad.HOLD
    return frozenset({past.revision}) if past is not None and is_held else frozenset()


def _readmitting(edit: Edit, revisions: frozenset[str]) -> Edit:
    if not revisions:
        return edit

    def whole(entry: dict[str, Any]) -> dict[str, Any]:
        made = edit(entry)
        return {**made, READMIT: sorted({*made.get(READMIT, ()), *revisions})}

    return whole


async def _write(generation: Generation, item: Subscription, edit: Edit, unread: tuple[str, ...]) -> DecisionWritten:
    entries: list[dict[str, Any]] = []

    def noted(entry: dict[str, Any]) -> dict[str, Any]:
        entries.append(edit(entry))
        return entries[-1]

    holds = generation.loaded.settings.holds
    if item.origin.kind != _FILE:
        where, has_changed = await _annotate(generation, item, noted)
    elif holds.startswith(CONFIG_MAP):
        where = f"ConfigMap {holds.removeprefix(CONFIG_MAP)}"
        has_changed = await _write_config_map(generation.client, holds.removeprefix(CONFIG_MAP), item.key, noted)
    else:
        where, has_changed = holds, await asyncio.to_thread(write_decision, Path(holds), item.key, noted)
    return DecisionWritten(key=item.key, where=where, entry=entries[-1], has_changed=has_changed, unread=unread)


async def _write_config_map(client: KubeClient, place: str, key: str, edit: Edit) -> bool:
    from updater.kube.kinds import CONFIG_MAP as KIND  # noqa: PLC0415 - who has no cluster need not import it
    from updater.kube.kinds import Ref  # noqa: PLC0415

    namespace, _, name = place.partition("/")
    ref = Ref(KIND, namespace, name)
    for _ in range(ATTEMPTS):
        try:
            item: Mapping[str, Any] | None = await client.get(ref)
        except KubeGone:
            item = None
        text = ((item or {}).get("data") or {}).get(DATA_KEY) or ""
        made = edited_text(f"ConfigMap {place} {DATA_KEY}", text, key, edit)
        if made is None:
            return False
        try:
            if item is None:
                metadata = {"name": name, "namespace": namespace}
                await client.create(
                    ref, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {DATA_KEY: made}}
                )
            else:
                await client.patch(ref, {"data": {DATA_KEY: made}}, version=_version(item))
        except KubeConflict:
            continue
        return True
    raise _busy(ref)


async def _annotate(generation: Generation, item: Subscription, edit: Edit) -> tuple[str, bool]:
    """Write the annotations of the object that asked; return where, and whether they are others than before."""
    ref, alias = _object_of(generation, item)
    for _ in range(ATTEMPTS):
        found = await generation.client.get(ref)
        annotations = (found.get("metadata") or {}).get("annotations") or {}
        names = {kind: _annotation(kind, alias) for kind in KINDS}
        before = entry_of(
            decision
            for kind, name in names.items()
            if isinstance(annotations.get(name), str) and annotations[name].strip()
            for decision in _read(kind, annotations[name], item.key, ref, name)
        )
        entry = edit(before)
        if entry == before:
            return str(ref), False
        stays = {name for kind, name in names.items() if _lets_go(kind, annotations.get(name), item.key)}
        texts = {
            names[kind]: text
            for kind, text in annotation_texts(entry).items()
            if text is not None or names[kind] in annotations.keys() - stays
        }
        try:
            await generation.client.patch(ref, {"metadata": {"annotations": texts}}, version=_version(found))
        except KubeConflict:
            continue
        return str(ref), True
    raise _busy(ref)


def _lets_go(kind: str, text: object, key: str) -> bool:
    """Return whether an annotation takes the holds of others away, as a person wrote it: that is no decision to be replaced."""
    if kind != HOLD or not isinstance(text, str) or not text.strip():
        return False
    try:
        return not read_annotation(kind, text, key=key, where="")
    except ConfigError:
        return False


def _read(kind: str, text: str, key: str, ref: Ref, name: str) -> Sequence[Any]:
    """Read an annotation; one that cannot be read is replaced by what is written: it stops its subscription as it is."""
    try:
        return read_annotation(kind, text, key=key, where=f"{ref} {name}")
    except ConfigError:
        return ()


def _object_of(generation: Generation, item: Subscription) -> tuple[Ref, str]:
    """Return the object whose annotations are about a subscription, and the alias in their names, "" for none."""
    from updater.argocd.cluster.kinds import APPLICATION  # noqa: PLC0415 - who has no cluster need not import them
    from updater.flux.kinds import IMAGE_POLICY  # noqa: PLC0415
    from updater.kube.kinds import Ref  # noqa: PLC0415

    namespace, _, name = item.origin.name.partition("/")
    if item.origin.kind == IMAGE_POLICY.name:
        return Ref(IMAGE_POLICY, namespace, name), ""
    alias = item.key.removeprefix(f"{item.origin.name}/")
    if alias != item.image.spelled:
        return Ref(APPLICATION, namespace, name), alias.replace("/", "_")
    if sum(other.origin == item.origin for other in generation.subscriptions) > 1:
        hint = f"write alias={item.image.spelled} in the image list, or name the whole Application: {item.origin.name}"
        raise ConfigError(f"the image {item.image.spelled} of {item.origin} has no alias", hint=hint, code="alias")
    return Ref(APPLICATION, namespace, name), ""


def _annotation(kind: str, alias: str) -> str:
    """Return the name of the annotation about an image by its alias, or about all of an object."""
    return f"{ANNOTATION_PREFIX}{alias}.{kind}" if alias else f"{ANNOTATION_PREFIX}{kind}"


def _version(item: Mapping[str, Any]) -> str | None:
    version = (item.get("metadata") or {}).get("resourceVersion")
    return version if isinstance(version, str) else None


def _busy(ref: Ref) -> KubeConflict:
    return KubeConflict(f"{ref} is changed by others all the time", hint="run the command again", code="kube-conflict")
