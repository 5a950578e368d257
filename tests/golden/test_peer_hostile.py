"""A fleet as the peer left it: its files are read as what is written, nothing is rewritten, and only values move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.argocd.request.making import GIT, application, image, reference, run, updater
from tests.engine.making import chosen
from updater.editors import make_editors
from updater.engine.decide import decide
from updater.model.outcome import Status
from updater.model.update import Commit
from updater.model.view import View
from updater.writeback.file_edits import CommitDrafter
from updater.writeback.reading import BlobReader, Targets

HERE = Path(__file__).parent / "peer"
DIGEST, NEWER = ("sha256:" + letter * 64 for letter in "ab")
FLEET = {
    path.relative_to(HERE / "fleet").as_posix(): path.read_bytes().replace(b"DIGEST", DIGEST.encode())
    for path in sorted((HERE / "fleet").rglob("*"))
    if path.is_file()
}


@dataclass
class Entry:
    path: str
    id: str


class Tree:
    """The files of the fleet."""

    def entry(self, path):
        return Entry(path, path) if path in FLEET else None

    def read(self, path):
        return FLEET[path]


def fleet():
    applications, updaters = [], []
    for item in yaml.safe_load((HERE / "applications.yaml").read_text()):
        images = [text.replace("DIGEST", DIGEST) for text in item["images"]]
        more = {"namespace": item.get("namespace", "argocd"), "images": images, "kind": item["type"]}
        annotations = item["annotations"] | GIT if "annotations" in item else None
        applications.append(application(annotations, name=item["name"], source={"path": item["path"]}, **more))
        if "plugin" in item:
            asked = image(manifestTargets={"plugin": item["plugin"]})
            updaters.append(updater(reference(item["name"], asked), writeBackConfig={"method": "git"}))
    found = run(*applications, updaters=updaters)
    assert found.snapshot.problems == ()
    return found.snapshot.subscriptions


def decisions(folder, newest):
    """Decide for the whole fleet; *newest* gives tag and digest for what is written."""
    items = fleet()
    destinations = {item.targets[0].destination for item in items}
    assert len(destinations) == 1
    (destination,) = destinations
    targets = Targets(tree=Tree(), blobs=BlobReader(make_editors(), folder / "found", "rule"), searched={})
    targets.read(items, destination)
    view = View(destination=destination, head="1" * 40, readings=targets.readings, problems=targets.problems, pending={})
    choices = {
        (item.key, reading.written): chosen(*newest(reading.written))
        for item in items
        for reading in targets.readings.get((item.key, 0), ())
    }
    return items, decide(view, items, choices)


def drafted(found):
    drafting = CommitDrafter(editors=make_editors(), read=Tree().read)
    updates = tuple(update for decision in found for update in decision.updates)
    draft = drafting.draft(Commit(commit_spec=found[0].target.commit_spec, updates=updates))
    assert drafting.refused == {}
    return draft


def test_the_first_pass_finds_every_image_and_writes_nothing(tmp_path):
    items, found = decisions(tmp_path, lambda written: (written.tag, written.digest or DIGEST))
    assert len(items) == 16
    assert {place.status for decision in found for place in decision.places} <= {Status.UNCHANGED, Status.UPDATED}
    assert drafted(found).files == {}


@pytest.mark.parametrize("tag", ["99.0.1", "99.20"])
def test_what_is_newer_changes_the_lines_of_its_values_alone(tmp_path, tag):
    _, found = decisions(tmp_path, lambda written: (written.tag, NEWER) if written.digest else (tag, NEWER))
    draft = drafted(found)
    assert sorted(draft.files) == sorted(FLEET)
    values = {tag, f'"{tag}"', NEWER}
    for path, after in draft.files.items():
        pairs = list(zip(FLEET[path].splitlines(), after.splitlines(), strict=True))
        changed = [new.decode() for old, new in pairs if old != new]
        assert changed
        assert all(any(line.endswith(value) for value in values) for line in changed)
    assert sum(len(changes) for changes in draft.changes.values()) == 16
