"""Members of a group move together: to one version that all of them offer, by one commit, or not at all."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.flows.fleet import Status, fleet
from tests.flows.test_gates import DAY, OTHER, START, WallClock
from updater.cli.explain import explained
from updater.errors import ConfigError

PLACES = {
    "app": "marker: ns:app",
    "web": "kustomize: {path: apps/web, name: web}",
    "api": "helm: {file: charts/values.yaml, name: image.repository, tag: image.tag}",
}


@asynccontextmanager
async def grouped(tmp_path, *, gates: dict[str, str] | None = None, **more):
    async with fleet(tmp_path) as made:
        made.wall = WallClock()
        for key, place in PLACES.items():
            own = (gates or {}).get(key, "")
            made.add(key, place, more=f"gates: {{group: shop{own}}}", **more)
        yield made


def written(made, branch="main"):
    texts = (made.file(path, branch) for path in ("apps/app.yaml", "apps/web/kustomization.yaml", "charts/values.yaml"))
    found = [
        text.split(mark, 1)[1].split()[0].strip('"') for text, mark in zip(texts, ("o/app:", "newTag: ", "tag: "), strict=True)
    ]
    return tuple(found)


async def test_a_group_waits_until_all_members_offer_the_version_and_moves_by_one_commit(tmp_path):
    async with grouped(tmp_path) as made:
        made.registry.push("o/app", "1.1.0")
        made.registry.push("o/web", "1.1.0")
        before = made.commits()
        ends = await made.once()
        assert {key: (end.status, end.code) for key, end in ends.items()} == {
            "app": (Status.HELD, "group"),
            "web": (Status.HELD, "group"),
            "api": (Status.UNCHANGED, None),
        }
        assert "api" in ends["app"].detail
        assert made.commits() == before
        made.registry.push("o/api", "1.1.0")
        assert {end.status for end in (await made.once()).values()} == {Status.UPDATED}
        assert written(made) == ("1.1.0", "1.1.0", "1.1.0")
        assert len(made.commits()) == len(before) + 1


async def test_a_group_moves_to_the_newest_common_version(tmp_path):
    async with grouped(tmp_path) as made:
        for name, tags in {
            "app": ("1.1.0", "v1.2.0", "1.3.0"),
            "web": ("1.1.0", "1.2.0"),
            "api": ("1.1.0", "1.2.0", "1.4.0"),
        }.items():
            for tag in tags:
                made.registry.push(f"o/{name}", tag)
        assert {end.status for end in (await made.once()).values()} == {Status.UPDATED}
        assert written(made) == ("v1.2.0", "1.2.0", "1.2.0")


@pytest.mark.parametrize("mover", PLACES)
async def test_no_member_moves_alone_where_no_version_is_common(tmp_path, mover):
    async with fleet(tmp_path) as made:
        for key, place in PLACES.items():
            made.add(
                key, place, policy=f"{{semver: {{range: '{'>=2' if key == mover else '<2'}'}}}}", more="gates: {group: shop}"
            )
        made.registry.push(f"o/{mover}", "2.0.0")
        end = (await made.once())[mover]
        assert (end.status, end.code) == (Status.HELD, "group")
        assert end.detail.startswith("2.0.0 waits for the group shop: ")
        assert f"shop: {mover}" not in end.detail
        assert written(made) == ("1.0.0", "1.0.0", "1.0.0")


async def test_a_member_that_is_ahead_does_not_go_back_and_the_others_do_not_pass_each_other(tmp_path):
    async with grouped(tmp_path) as made:
        text = made.file("charts/values.yaml")
        made.repository.commit({"charts/values.yaml": text.replace("1.0.0", "2.0.0").encode()})
        made.registry.push("o/api", "2.0.0")
        made.registry.push("o/app", "1.1.0")
        ends = await made.once()
        assert (ends["app"].status, ends["app"].code) == (Status.HELD, "group")
        assert written(made) == ("1.0.0", "1.0.0", "2.0.0")
        for name in ("app", "web"):
            made.registry.push(f"o/{name}", "2.0.0")
        assert (await made.once())["app"].status is Status.UPDATED
        assert written(made) == ("2.0.0", "2.0.0", "2.0.0")


async def test_a_hold_of_one_member_holds_all_and_opens_for_all(tmp_path):
    async with grouped(tmp_path, gates={"api": ", min_age: 3d", "web": ", max_changes: 1/h"}) as made:
        for name in PLACES:
            made.registry.push(f"o/{name}", "1.1.0")
        ends = await made.once()
        opens = datetime.fromtimestamp(START + 3 * DAY, UTC)
        assert {key: (end.code, end.opens_at) for key, end in ends.items()} == {
            "app": ("group", opens),
            "web": ("group", opens),
            "api": ("min-age", opens),
        }
        made.wall.now += 3 * DAY
        assert {end.status for end in (await made.once()).values()} == {Status.UPDATED}
        made.wall.now += 60
        for name in PLACES:
            made.registry.push(f"o/{name}", "1.2.0", created=OTHER)
        await made.once()
        made.wall.now += 3 * DAY
        assert {end.status for end in (await made.once()).values()} == {Status.UPDATED}
        for name in PLACES:
            made.registry.push(f"o/{name}", "1.3.0", created=OTHER)
        ends = await made.once()
        assert {key: end.code for key, end in ends.items()} == {"app": "group", "web": "max-changes", "api": "group"}
        assert "web" in ends["app"].detail


async def test_an_edit_that_is_refused_stops_the_whole_group(tmp_path):
    async with grouped(tmp_path) as made:
        beside = made.file("charts/values.yaml") + f'    digest: "sha256:{"a" * 64}"\n'
        made.repository.commit({"charts/values.yaml": beside.encode()})
        for name in PLACES:
            made.registry.push(f"o/{name}", "1.1.0")
        before = made.commits()
        ends = await made.once()
        assert {key: end.code for key, end in ends.items()} == {"app": "group", "web": "group", "api": "digest-beside"}
        assert {ends[key].status for key in ("web", "app")} == {Status.HELD}
        assert made.commits() == before


async def test_a_registry_that_fails_for_one_member_stops_the_group(tmp_path):
    async with grouped(tmp_path) as made:
        for name in ("app", "web"):
            made.registry.push(f"o/{name}", "1.1.0")
        made.registry.delete("o/api", "1.0.0")
        made.subscriptions[2] = made.subscriptions[2].replace("/o/api", "/o/missing")
        ends = await made.once()
        assert ends["api"].status in {Status.FAILED, Status.HELD, Status.NO_MATCH}
        assert ends["app"].code == "group"
        assert written(made)[:2] == ("1.0.0", "1.0.0")


async def test_one_member_that_is_asked_for_brings_its_group_along(tmp_path):
    async with grouped(tmp_path) as made:
        made.registry.push("o/app", "1.1.0")
        async with made.opened() as generation:
            only = [item for item in generation.subscriptions if item.key == "app"]
            (landing,) = await generation.once(only, is_dry=False)
        assert {end.key: end.code for end in landing.outcomes}["app"] == "group"
        assert written(made) == ("1.0.0", "1.0.0", "1.0.0")


async def test_what_a_push_branch_holds_stays_while_the_group_waits(tmp_path):
    async with grouped(tmp_path, push="updates") as made:
        for name in PLACES:
            made.registry.push(f"o/{name}", "1.1.0")
        assert {end.status for end in (await made.once()).values()} == {Status.UPDATED}
        made.registry.push("o/app", "1.2.0")
        made.repository.commit({"other.txt": b"1"})
        await made.once()
        assert written(made, "updates") == ("1.1.0", "1.1.0", "1.1.0")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("group: shop", "group: other"), "no other member"),
        (lambda text: text.replace("branch: main", "branch: stable"), "do not write the same branches"),
    ],
)
async def test_a_group_that_cannot_move_as_one_is_refused_at_load(tmp_path, change, said):
    async with grouped(tmp_path) as made:
        made.subscriptions[2] = change(made.subscriptions[2])
        with pytest.raises(ConfigError) as refused:
            await made.once()
        assert [problem.code for problem in refused.value.problems] == ["group"]
        assert said in refused.value.problems[0].message
        assert refused.value.problems[0].hint
        assert refused.value.problems[0].line


class Killed:
    """Ends the process, as far as a test can: before the push, or after it and before anything is noted."""

    def __init__(self, writer, *, is_pushed):
        self.look, self._writer, self._is_pushed = writer.look, writer, is_pushed

    async def write(self, view, commits, *, is_dry):
        if is_dry or self._is_pushed:
            landed = await self._writer.write(view, commits, is_dry=is_dry)
        if is_dry:
            return landed
        raise RuntimeError("killed")


@pytest.mark.parametrize("is_pushed", [False, True])
async def test_a_group_that_is_killed_in_the_middle_has_moved_whole_or_not_at_all(tmp_path, is_pushed):
    async with grouped(tmp_path, gates={"app": ", max_changes: 1/h"}) as made:
        for name in PLACES:
            made.registry.push(f"o/{name}", "1.1.0")
        before = made.commits()
        await made.once(wrap=lambda writer: Killed(writer, is_pushed=is_pushed))
        made.forget()
        assert written(made) == (("1.1.0",) * 3 if is_pushed else ("1.0.0",) * 3)
        await made.once()
        assert written(made) == ("1.1.0", "1.1.0", "1.1.0")
        assert len(made.commits()) == len(before) + 1
        for name in PLACES:
            made.registry.push(f"o/{name}", "1.2.0")
        assert {key: end.code for key, end in (await made.once()).items()} == {
            "app": "max-changes",
            "web": "group",
            "api": "group",
        }


async def test_explain_says_what_a_group_waits_for_also_where_one_member_is_asked_about(tmp_path):
    async with grouped(tmp_path) as made:
        made.registry.push("o/app", "1.1.0")
        (row,) = await explained([str(made.configure())], "app")
        (gate,) = row["gates"]
        assert (gate["gate"], gate["is_open"], gate["code"]) == ("group", False, "group")
        assert "waits for the group shop" in gate["reason"]
        for name in ("web", "api"):
            made.registry.push(f"o/{name}", "1.1.0")
        (row,) = await explained([str(made.configure())], "app")
        assert [(item["gate"], item["is_open"]) for item in row["gates"]] == [("group", True)]
