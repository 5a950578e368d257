"""Beside people who push all the time a landing still lands: nothing that it knows is asked again, and each attempt is short."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.making import BRANCH, chosen, subscription
from tests.engine.test_landing import Branch, parts
from tests.flows.fleet import Status, add_usual, fleet
from updater.engine.landing import ATTEMPTS, LandingContext, land

pytestmark = pytest.mark.real


class Contended:
    """A writer before whose every push somebody else pushes, until they had their turns; counts requests an attempt."""

    def __init__(self, made, writer, turns, push):
        self.made, self.writer, self.turns, self.push = made, writer, turns, push
        self.requests = []

    async def look(self, destination, subscriptions):
        self.requests.append(self.made.server.count())
        return await self.writer.look(destination, subscriptions)

    async def write(self, view, commits, *, is_dry):
        if self.turns:
            self.turns -= 1
            self.push(self.turns)
        try:
            return await self.writer.write(view, commits, is_dry=is_dry)
        finally:
            self.requests[-1] = self.made.server.count() - self.requests[-1]


async def landed(made, turns, push):
    """Land once beside the pushes; gives the outcomes by key, the requests of each attempt, and what registries were asked."""
    writers = []
    async with made.opened(wrap=lambda writer: writers.append(Contended(made, writer, turns, push)) or writers[0]) as generation:
        await generation.once(generation.subscriptions, is_dry=True)
        writers[0].turns = turns
        writers[0].requests.clear()
        asked = len(made.registry.asked)
        (landing,) = [await generation.land(item) for item in generation.asked.by_destination]
    return {end.key: end for end in landing.outcomes}, writers[0].requests, len(made.registry.asked) - asked


@pytest.mark.parametrize("turns", [1, 12, ATTEMPTS - 1])
async def test_it_lands_beside_somebody_who_pushes_between_every_look_and_push(tmp_path, turns):
    async with fleet(tmp_path) as made:
        add_usual(made)
        for name in ("app", "web", "api"):
            made.registry.push(f"o/{name}", "1.1.0")
        pushed = [made.repository.head()]
        ends, requests, asked = await landed(
            made, turns, lambda number: pushed.append(made.repository.commit({"theirs.txt": b"%d\n" % number}))
        )
        assert {end.status for end in ends.values()} == {Status.UPDATED}
        assert made.repository.git("rev-list", "--count", f"{pushed[-1]}..main").strip() == "1"
        assert made.repository.git("merge-base", "main", pushed[-1]).strip() == pushed[-1]
        assert asked <= 3  # the digests that the trailers name, once
        assert max(requests[2:], default=0) <= 3  # a look, what is new with its commits, and the push


async def test_what_others_take_back_in_between_is_not_written(tmp_path):
    """A choice is kept only while nobody decides against it."""
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        old = made.file("apps/app.yaml").encode()
        made.registry.push("o/app", "1.1.0")
        assert (await made.once())["app"].status is Status.UPDATED
        first = made.repository.head()
        made.repository.commit({"apps/app.yaml": old})  # by hand: no decision against 1.1.0

        def push(_number):
            made.repository.commit({"theirs.txt": b"x"}, message=f"Revert\n\nThis reverts commit {first}.\n")

        ends, _, _ = await landed(made, 1, push)
        assert ends["app"].status is not Status.UPDATED
        assert "1.0.0" in made.file("apps/app.yaml")


async def test_a_merge_in_between_is_read_with_its_history(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        base = made.repository.head()

        def push(number):
            side = made.repository.commit({f"side{number}.txt": b"x\n"}, branch=f"side{number}", parent=base)
            main = made.repository.head()
            tree = made.repository.git("merge-tree", "--write-tree", main, side).split()[0]
            merge = made.repository.git("commit-tree", tree, "-p", main, "-p", side, "-m", "merge").strip()
            made.repository.git("update-ref", "refs/heads/main", merge)

        ends, _, _ = await landed(made, 3, push)
        assert ends["app"].status is Status.UPDATED
        assert "1.1.0" in made.file("apps/app.yaml")
        assert made.file("side0.txt") == "x\n"


async def test_another_attempt_asks_no_registry_again():
    asked = []

    async def choose(item, written, *, needs_digest, rejected, named):
        asked.append(written)
        selection = chosen("2.0.0")
        return replace(selection, digests=dict.fromkeys(named(selection)))

    branch = Branch("1.0.0", refusals=ATTEMPTS - 1)
    made = parts(branch)
    landing = await land(BRANCH, (subscription(),), LandingContext(writer=branch, choose=choose, pause=made.pause))
    assert (landing.outcomes[0].status, landing.replays, len(asked)) == (Status.UPDATED, ATTEMPTS - 1, 1)
