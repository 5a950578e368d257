"""A wing of three made-up kinds over the controller room, as the next real one will be: statuses, conditions and Events.

A Feed names an image, a Rule says what of a Feed is wanted, a Robot (whose definition need not be installed) does nothing.
"""

from __future__ import annotations

from functools import partial

from tests.engine.making import subscription
from updater.controller.conditions import Condition, merge_conditions
from updater.controller.event_queue import EventQueue
from updater.controller.namespaces import select_namespaces
from updater.controller.objects import Sharing, event_subject, items_of, keep_object
from updater.controller.status_patch import StatusRules
from updater.controller.status_writer import StatusWriter
from updater.controller.watched_source import KnownObjects, SourceKind, WatchedSource
from updater.kube.events import Event
from updater.kube.kinds import Kind, Ref
from updater.model.snapshot import Snapshot

FEED = Kind("lab.example", "v1", "Feed", "feeds")
RULE = Kind("rules.lab.example", "v1beta2", "Rule", "rules")
ROBOT = Kind("lab.example", "v1", "Robot", "robots")
KINDS = (FEED, RULE, ROBOT)
FINALIZER = "lab.example/feed"
ASKED = "lab.example/requestedAt"
MISSING = "install the lab"


def keep(sharing, item):
    """Keep what `keep_object` does, and one annotation."""
    annotations = item["metadata"].get("annotations") or {}
    asked = {"annotations": {ASKED: annotations[ASKED]}} if ASKED in annotations else {}
    return keep_object(item, sharing, metadata=asked)


class LabWing:
    """Serves Feeds and Rules of a cluster: a Rule of a Feed that is known is a subscription."""

    def __init__(self, client, options, *, namespaces=(), report=lambda _watched, _error: None):
        self.prune = partial(keep, Sharing())
        self.kinds = {
            kind: SourceKind(kind=kind, prune=self.prune, is_optional=kind is ROBOT, missing_hint=MISSING) for kind in KINDS
        }
        self.source = WatchedSource(
            client,
            tuple(self.kinds.values()),
            self.translate,
            namespaces=select_namespaces(namespaces),
            report=report,
        )
        rules = partial(StatusRules, prune=self.prune, volatile=frozenset({"lastScan"}))
        self.statuses = StatusWriter(
            client, options, {FEED: rules(make=self.feed_status, finalizer=FINALIZER), RULE: rules(make=self.rule_status)}
        )
        self.events = EventQueue(options)
        for part in (self.statuses, self.events):
            options.when_leading(part.wake)
        self.items, self.snapshot, self.known = {}, None, KnownObjects()
        self.translations = 0

    async def run(self, deliver):
        await self.source.run(deliver, beside=(self.statuses.run, self.events.run))

    async def translate(self, known):
        items = {kind: items_of(known.of(self.kinds[kind]), self.items.get(kind, {})) for kind in KINDS}
        is_new = self.snapshot is None or items != self.items
        self.items, self.known = items, known
        if is_new:
            self.translations += 1
            feeds, rules = items[FEED], items[RULE]
            found = {key: (key[0], item["spec"]["feed"]) for key, item in rules.items()}
            asked = [subscription("/".join(key), feeds[feed]["spec"]["image"]) for key, feed in found.items() if feed in feeds]
            self.snapshot = Snapshot(subscriptions=tuple(asked))
            self.events.states([Ref(RULE, *key) for key, feed in found.items() if feed not in feeds], self.lost_feed)
        kept = {Ref(kind, *key): each for kind in (FEED, RULE) for key, each in known.of(self.kinds[kind]).items()}
        self.statuses.know(kept, all_due=is_new)
        return self.snapshot

    def lost_feed(self, ref):
        item = self.items[RULE][ref.namespace, ref.name]
        subject = event_subject(RULE, (ref.namespace, ref.name), item["metadata"])
        return subject, Event(reason="FeedMissing", message=f"no Feed {item['spec']['feed']}", weight="Warning")

    def feed_status(self, due):
        before, scans = due.kept.status, due.news
        ready = Condition("Ready", "Unknown", "Waiting", "not read yet")
        if scans or before.get("tags"):
            ready = Condition("Ready", "True", "Scanned", "the feed was read")
        status = {
            "observedGeneration": due.kept.generation,
            "conditions": merge_conditions(before, [ready], owned=("Ready",), generation=due.kept.generation, now=due.now),
            "tags": scans[-1] if scans else before.get("tags", 0),
        }
        asked = due.kept.item["metadata"].get("annotations", {}).get(ASKED)
        status |= {"handled": asked} if asked else {}
        return None if all(before.get(name) == value for name, value in status.items()) else {**status, "lastScan": due.now}

    def rule_status(self, due):
        feed = (due.ref.namespace, due.kept.item["spec"]["feed"])
        is_there = feed in self.items[FEED]
        ready = Condition("Ready", "True" if is_there else "False", "Fed" if is_there else "FeedMissing", "said in a word")
        generation, before = due.kept.generation, due.kept.status
        made = {"conditions": merge_conditions(before, [ready], owned=("Ready",), generation=generation, now=due.now)}
        return None if before.get("conditions") == made["conditions"] else made
