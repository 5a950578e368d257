"""How what people do at the page and by the API is done: by the same code as the commands, on the daemon's own generation."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.daemon.fleet_desk import find_subscription
from updater.daemon.leader import LeaderSilent, ask_leader, leader_address
from updater.daemon.people import taken_back_by, write_decision_about
from updater.http.exchange import HttpRequest
from updater.inventory.destinations import destinations_of
from updater.inventory.merge import FILE
from updater.model.diff import as_diff
from updater.model.scan_key import scan_key_for
from updater.settings.decision_edits import decision_row, held, named_image, named_tag, pinned, rejected, released
from updater.settings.decisions import entry_of, read_entry
from updater.web.access import PERSON_HEADER
from updater.web.acts import NOT_KNOWN, NOT_SENT, ActDone, ActKind, ActOrder, ChangePreview
from updater.web.detail import target_view
from updater.web.events import EventKind, EventPart
from updater.web.sessions import HANDED_ON_FOR, handed_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.daemon.fleet_desk import FleetDesk
    from updater.daemon.generation import Generation
    from updater.daemon.process import Process
    from updater.daemon.site_registrar import SiteRegistrar
    from updater.model.subscription import Subscription
    from updater.settings.decision_edits import Edit

MOST_LINES: Final = 5000
LONGEST_ANSWER: Final = 1024 * 1024
_UNCHANGED: Final = "unchanged"
_DONE: Final = frozenset({"changed", _UNCHANGED})
_DONE_WORDS: Final = {
    ActKind.HOLD: "held",
    ActKind.RELEASE: "released",
    ActKind.REJECT: "rejected",
    ActKind.PIN: "pinned",
    ActKind.SCAN: "scan asked for",
}


class FleetActs:
    """Does what people ask for; *generation* returns the one in force, *registrar* signs what is handed on."""

    def __init__(self, process: Process, generation: Callable[[], Generation], registrar: SiteRegistrar, desk: FleetDesk) -> None:
        self._process = process
        self._generation = generation
        self._registrar = registrar
        self._desk = desk

    @property
    def leads(self) -> bool:
        """Whether this replica is the one that works."""
        return self._process.may_write()

    async def act(self, order: ActOrder) -> ActDone:
        """Do what was asked for; raise `UpdaterError`."""
        generation = self._generation()
        item = find_subscription(generation, order.key)
        if order.kind is ActKind.SCAN:
            generation.webhooks.hint((scan_key_for(item),), "", destinations_of((item,)))
            return ActDone(key=item.key, act=order.kind, author=order.author, told=f"{item.image} is scanned now")
        commits, unread = await self._taken_back(generation, item) if order.kind is ActKind.RELEASE else ({}, ())
        readmitted = commits.get(item.key, frozenset())
        done = await write_decision_about(generation, item, _edit(order), readmitted=readmitted, unread=unread)
        if item.origin.kind == FILE:  # what stands on an object is watched
            await generation.decisions.look()
        sentences = [found.sentence for found in read_entry(item.key, dict(done.entry), done.where) if found.code]
        return ActDone(
            key=item.key,
            act=order.kind,
            author=order.author,
            told="; ".join(sentences) or "no decision is in force",
            where=done.where,
            changed=done.has_changed or bool(readmitted),
            readmitted=tuple(sorted(readmitted)),
            unread=unread,
        )

    async def preview(self, order: ActOrder | None, key: str) -> ChangePreview:
        """Return what a landing would write at this moment if *order* were done; raise `UpdaterError`."""
        generation = self._generation()
        item = find_subscription(generation, key)
        decided = _decided(item, order) if order else item
        landings = await self._desk.dry_landings(generation, item, decided)
        lines = [line for landing in landings if landing.landed for line in as_diff(landing.landed.edits).splitlines()]
        targets = tuple(target_view(end) for landing in landings for end in landing.outcomes if end.key == key)
        return ChangePreview(diff=tuple(lines[:MOST_LINES]), targets=targets, is_cut=len(lines) > MOST_LINES)

    async def hand_on(self, path: str, fields: Mapping[str, str], person: str) -> tuple[int, bytes]:
        """Let the replica that leads do it, in the name of *person*; return its status and answer.

        The status is `NOT_SENT` where it did not get it, `NOT_KNOWN` where its answer was lost.
        """
        if not leader_address(self._process):
            return NOT_SENT, b""
        signer, body = await self._registrar.signer(), json.dumps(dict(fields)).encode()
        token = signer.begin(person, purpose=handed_on("POST", path, body), lasts=HANDED_ON_FOR)
        request = HttpRequest(
            url=path,
            method="POST",
            headers={"Content-Type": "application/json", PERSON_HEADER: token},
            body=body,
            is_repeatable=False,
            limit=LONGEST_ANSWER,
        )
        try:
            answer = await ask_leader(self._process, request)
        except LeaderSilent as silence:
            return NOT_KNOWN if silence.may_have_come else NOT_SENT, b""
        return answer.status, answer.body

    def done(self, order: ActOrder, result: str) -> None:
        """Count and log what became of it, and tell those who follow."""
        self._process.metrics.count("updater_web_acts_total", order.kind.value, result)
        self._process.log.info(
            "act", act=order.kind.value, key=order.key, person=order.author, reason=order.reason, image=order.image, result=result
        )
        part = EventPart(
            kind=EventKind.ACT,
            word=order.kind.value,
            detail=act_detail(order, result),
            key=order.key,
            code=None if result in _DONE else result,
            author=order.author,
        )
        self._desk.events.add(part, datetime.now(UTC))
        self._desk.forget(order.key)

    async def _taken_back(self, generation: Generation, item: Subscription) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
        """Return the commits of *item* that people took back; a hold or a pin would hide what was closed besides."""
        bare = replace(item, decisions=())
        return taken_back_by(await self._desk.landings_for_act(generation, item, bare), (bare,))


def act_detail(order: ActOrder, result: str) -> str:
    """Return what became of an act, for a line that names key and author besides: a refused one does not read as done."""
    about = f" {order.image}" if order.image else ""
    why = f": {order.reason}" if order.reason else ""
    if result not in _DONE:
        return f"{order.kind.value}{about} refused ({result}){why}"
    return f"{_DONE_WORDS[order.kind]}{about}{', nothing changed' if result == _UNCHANGED else ''}{why}"


def _edit(order: ActOrder) -> Edit:
    """Return what the command of that name does to what is decided; raise `ConfigError`."""
    if order.kind is ActKind.RELEASE:
        return released
    named: dict[str, str] = {}
    if order.kind is ActKind.PIN:
        named = named_tag(order.image)
    elif order.kind is ActKind.REJECT:
        named = named_image(order.image)
    row = decision_row(author=order.author, reason=order.reason, until=order.until, lasts=order.lasts, **named)
    if order.kind is ActKind.HOLD:
        return held(row)
    return pinned(row) if order.kind is ActKind.PIN else rejected(row, named)


def _decided(item: Subscription, order: ActOrder) -> Subscription:
    """Return *item* as it would be once *order* is done."""
    if order.kind is ActKind.SCAN:
        return item
    entry = _edit(order)(entry_of(item.decisions))
    return replace(item, decisions=tuple(read_entry(item.key, entry, "")))
