"""W12: one file with 10,000 values, read, decided and edited with the proof; the cost must grow with the file, not its square.

Each shape of file is measured with a tenth of the values too: the ratio says how the cost grows, 10 is linear. Run:
``python benchmarks/w12_many_values.py [values]``. Times are CPU seconds, medians of three rounds.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time

from updater.cli.collector import settle
from updater.editors import make_editors
from updater.engine.decide import decide
from updater.engine.outcomes import outcomes
from updater.model.candidate import Candidate
from updater.model.image import parse_name
from updater.model.selection import Selection
from updater.model.subscription import CommitSpec, Form, GitBranch, Locator, Origin, PolicySpec, Subscription, Target
from updater.model.update import Commit, WriteResult
from updater.model.view import View
from updater.writeback.file_edits import CommitDrafter
from updater.writeback.message import commit_message

GOAL = 2.0
ROUNDS = 3
BRANCH = GitBranch(url="https://git.example.org/fleet.git", branch="main")
MARKER = '# {"$imagepolicy": "fleet:web"}'
CHOSEN = Selection(status="updated", chosen=Candidate(tag="1.1.0"), rejections={})


def mapping(count):
    return "a.yaml", "".join(f"key{n}: ghcr.io/org/web:1.0.0 {MARKER}\n" for n in range(count)), [marker()]


def items(count):
    return "a.yaml", "images:\n" + f"- ghcr.io/org/web:1.0.0 {MARKER}\n" * count, [marker()]


def parts(count):
    return "a.yaml", "".join(f'key{n}: 1.0.0 # {{"$imagepolicy": "fleet:web:tag"}}\n' for n in range(count)), [marker()]


def plain(count):
    return "a.env", "".join(f"KEY{n}=ghcr.io/org/web:1.0.0 {MARKER}\n" for n in range(count)), [marker()]


def helm(count):
    text = "".join(f"app{n}:\n  image: ghcr.io/org/web:1.0.0\n" for n in range(count))
    return "values.yaml", text, [target("helm", Locator(path="values.yaml", spec=f"app{n}.image")) for n in range(count)]


def kustomize(count):
    path = "kustomization.yaml"
    text = "images:\n" + "".join(f"- name: app{n}\n  newName: ghcr.io/org/web\n  newTag: 1.0.0\n" for n in range(count))
    return path, text, [target("kustomize", Locator(path=path, name=f"app{n}")) for n in range(count)]


SHAPES = (mapping, items, parts, plain, helm, kustomize)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"W12 {count} values in one file; Python {platform.python_version()}, {ROUNDS} rounds")
    settle()  # as the program does
    for shape in SHAPES:
        small = statistics.median(landed(shape, count // 10) for _ in range(ROUNDS))
        whole = statistics.median(landed(shape, count) for _ in range(ROUNDS))
        held = "held" if whole <= GOAL else "NOT HELD"
        print(f"{shape.__name__:<10} {whole:6.2f} s CPU, {whole / small:5.1f}x of a tenth of it  goal ≤ {GOAL:.1f} s: {held}")


def landed(shape, count):
    """Read, decide, edit and word one file; return CPU seconds."""
    path, text, targets = shape(count)
    data, editors = text.encode(), make_editors(("*.env",))
    item = Subscription(
        key="web",
        image=parse_name("ghcr.io/org/web"),
        policy=PolicySpec("semver", {"range": "*"}),
        targets=tuple(targets),
        origin=Origin(kind="file", name="updater.yaml", line=1),
    )
    start = time.process_time()
    readings = {
        ("web", number): editors[target.editor].read(path, data, target.locator).readings
        for number, target in enumerate(item.targets)
    }
    view = View(destination=BRANCH, head="1" * 40, readings=readings, problems={}, pending={})
    written = {reading.written for found in readings.values() for reading in found}
    decisions = decide(view, [item], {("web", value): CHOSEN for value in written})
    updates = tuple(update for decision in decisions for update in decision.updates)
    commit = Commit(commit_spec=CommitSpec(name="updater"), updates=updates)
    drafting = CommitDrafter(editors=editors, read=lambda _: data)
    draft = drafting.draft(commit)
    commit_message(commit, draft.changes)
    ends = outcomes(decisions, WriteResult(changes=drafting.changes, refused=drafting.refused, revisions={}, is_dry=True))
    spent = time.process_time() - start
    assert len(drafting.changes) == count
    assert sum(len(end.changes) for end in ends) == count
    return spent


def marker():
    return target("marker", Locator(path=".", name="fleet:web"))


def target(editor, locator):
    return Target(destination=BRANCH, editor=editor, locator=locator, form=Form.TAG)


if __name__ == "__main__":
    main()
