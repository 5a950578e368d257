"""What people decide stays: holds, pins and rejections in a file, and rollbacks that they make in Git without any command."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from tests.fakes.git_server import run_git
from tests.flows.fleet import MARKED, Status, fleet

pytestmark = pytest.mark.real


async def passed(made, key="app", *, lost=True):
    """One pass over everything, with the state lost before it; gives the outcome of *key*."""
    if lost:
        made.forget()
    async with made.opened() as generation:
        landings = await generation.once(generation.subscriptions, is_dry=False)
    return next(outcome for landing in landings for outcome in landing.outcomes if outcome.key == key)


def decided(made, text):
    (made.folder / "holds.yaml").write_text(text)


def typed(made, old, new, path="apps/app.yaml"):
    """A person replaces one value by hand."""
    text = made.file(path)
    assert old in text
    made.repository.commit({path: text.replace(old, new).encode()}, message="back")


async def test_a_held_subscription_is_not_written_until_it_is_released(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        decided(made, "app:\n  hold: {author: Jane, reason: freeze, until: 2999-01-01T00:00:00Z}\n")
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "hold")
        assert end.detail == "held by Jane until 2999-01-01T00:00:00Z: freeze; 1.0.0 → 1.1.0"
        assert "1.0.0" in made.file("apps/app.yaml")
        decided(made, "{}\n")
        assert (await passed(made)).status is Status.UPDATED


async def test_a_hold_is_told_once_however_many_places_it_stops(tmp_path):
    async with fleet(tmp_path) as made:
        text = made.file("apps/app.yaml")
        made.repository.commit({"apps/newer.yaml": text.replace("1.0.0", "2.0.0").encode()})
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        decided(made, "app:\n  hold: {author: Jane, reason: freeze, until: 2999-01-01T00:00:00Z}\n")
        end = await passed(made)
        assert end.detail == "held by Jane until 2999-01-01T00:00:00Z: freeze; 1.0.0 → 1.1.0"


async def test_a_hold_that_has_ended_holds_nothing(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        decided(made, "app:\n  hold: {until: 2020-01-01T00:00:00Z}\n")
        assert (await passed(made)).status is Status.UPDATED


async def test_a_pinned_tag_is_written_whatever_ranks_higher_and_stays(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        for tag in ("1.1.0", "1.2.0"):
            made.registry.push("o/app", tag)
        await passed(made)
        assert "1.2.0" in made.file("apps/app.yaml")
        decided(made, 'app:\n  pin: {tag: "1.1.0", author: Jane}\n')
        assert (await passed(made)).detail == "1.2.0 → 1.1.0; pinned to 1.1.0 by Jane"
        end = await passed(made)
        assert (end.status, end.code, end.detail) == (Status.HELD, "pinned", "pinned to 1.1.0 by Jane")
        assert "1.1.0" in made.file("apps/app.yaml")
        decided(made, "{}\n")
        assert (await passed(made)).status is Status.UPDATED
        assert "1.2.0" in made.file("apps/app.yaml")


async def test_a_pinned_tag_that_the_registry_does_not_list_is_not_written(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        decided(made, "app:\n  pin: {tag: 7.7.7}\n")
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "pinned")
        assert "does not list" in end.detail
        assert "1.0.0" in made.file("apps/app.yaml")


async def test_a_rejected_tag_is_passed_over_and_a_newer_one_is_written(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        decided(made, "app:\n  reject:\n  - {tag: 1.1.0, author: Jane, reason: leaks}\n")
        end = await passed(made)
        assert (end.status, end.code, end.detail) == (Status.HELD, "rejected", "1.1.0 was rejected by Jane: leaks")
        made.registry.push("o/app", "1.2.0")
        assert (await passed(made)).status is Status.UPDATED
        assert "1.2.0" in made.file("apps/app.yaml")


async def test_a_rejected_digest_is_passed_over_under_every_tag(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        digest = made.registry.push("o/app", "1.1.0", labels={"build": "bad"})
        assert made.registry.push("o/app", "1.2.0", labels={"build": "bad"}) == digest
        decided(made, f"app:\n  reject:\n  - {{digest: '{digest}'}}\n")
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "rejected")
        assert "1.0.0" in made.file("apps/app.yaml")


async def test_an_entry_that_cannot_be_read_holds_its_subscription_and_no_other(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.add("web", "kustomize: {path: apps/web, name: web}")
        for name in ("app", "web"):
            made.registry.push(f"o/{name}", "1.1.0")
        decided(made, "app:\n  hold: {untill: 2999-01-01T00:00:00Z}\n")
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "holds-unreadable")
        assert end.hint == "correct what the message names: until then it may be a hold"
        assert "holds.yaml:2: unknown key 'untill'" in end.detail
        assert "1.1.0" in made.file("apps/web/kustomization.yaml")


async def test_a_file_that_cannot_be_read_holds_every_subscription(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        decided(made, "app: {hold: {\n")
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "holds-unreadable")
        assert "1.0.0" in made.file("apps/app.yaml")


async def test_an_older_value_typed_by_hand_stays_until_something_newer_comes(tmp_path):
    """A person's rollback without any command is respected at once, with or without the state, and between versions too."""
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.2.0")
        await passed(made)
        typed(made, "1.2.0", "1.0.0")
        made.registry.push("o/app", "1.1.0")  # lower than what was rolled back: nobody chose it
        for lost in (False, True, True):
            end = await passed(made, lost=lost)
            assert (end.status, end.code) == (Status.HELD, "rejected")
            assert re.match(r"1\.2\.0, written by commit [0-9a-f]{9}, was replaced by hand with 1\.0\.0", end.detail)
            assert "1.0.0" in made.file("apps/app.yaml")
        made.registry.push("o/app", "1.3.0")
        assert (await passed(made)).status is Status.UPDATED
        assert "1.3.0" in made.file("apps/app.yaml")


async def test_a_newer_value_typed_by_hand_is_no_rejection(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await passed(made)
        made.registry.push("o/app", "1.2.0")
        made.registry.push("o/app", "1.3.0")
        typed(made, "1.1.0", "1.2.0")
        assert (await passed(made)).status is Status.UPDATED
        assert "1.3.0" in made.file("apps/app.yaml")


async def test_a_file_that_a_person_adds_with_an_older_value_is_no_rollback(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await passed(made)
        made.repository.commit({"new.yaml": MARKED.format(host=made.registry.host).encode()})
        assert (await passed(made)).status is Status.UPDATED
        assert "1.1.0" in made.file("new.yaml")


async def test_a_rollback_in_one_file_leaves_the_other_files_moving(tmp_path):
    async with fleet(tmp_path, **{"a.yaml": MARKED, "b.yaml": MARKED}) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await passed(made)
        typed(made, "1.1.0", "1.0.0", "a.yaml")
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "rejected")
        assert "1.0.0" in made.file("a.yaml")
        assert "1.1.0" in made.file("b.yaml")


async def test_another_build_under_a_tag_that_was_rolled_back_is_another_candidate(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0", labels={"build": "1"})
        await passed(made)
        typed(made, "1.1.0", "1.0.0")
        assert (await passed(made)).code == "rejected"
        made.registry.push("o/app", "1.1.0", labels={"build": "2"})
        assert (await passed(made)).status is Status.UPDATED


async def test_a_digest_that_a_person_put_back_stays(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", policy="{digest: {tag: main}}", more="form: tag@digest")
        old = made.registry.push("o/app", "main", labels={"build": "1"})
        await passed(made)
        new = made.registry.push("o/app", "main", labels={"build": "2"})
        await passed(made)
        typed(made, str(new), str(old))
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "rejected")
        assert str(old) in made.file("apps/app.yaml")
        made.registry.push("o/app", "main", labels={"build": "3"})
        assert (await passed(made)).status is Status.UPDATED


async def test_a_rollback_under_latest_stays_where_the_cache_is_lost(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", policy="{latest: {}}")
        made.registry.push("o/app", "1.0.0", created=datetime(2024, 1, 1, tzinfo=UTC))
        made.registry.push("o/app", "green", created=datetime(2024, 2, 1, tzinfo=UTC))
        assert (await passed(made)).status is Status.UPDATED
        typed(made, "green", "1.0.0")
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "rejected")


async def test_a_rollback_is_told_after_hundreds_of_other_commits(tmp_path):
    """Our last write to a file is remembered however far below the head it is."""
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await passed(made)
        typed(made, "1.1.0", "1.0.0")
        checkout = tmp_path / "checkout"
        run_git("clone", "-q", made.repository.path, checkout)
        stream = "".join(
            f"commit refs/heads/main\ncommitter P <p@example.org> {2_000_000_000 + n} +0000\ndata 1\nx\n"
            + ("from refs/heads/main^0\n" if n == 0 else "")
            for n in range(250)
        )
        run_git("fast-import", "--quiet", cwd=checkout, data=stream.encode())
        run_git("push", "-q", "origin", "main", cwd=checkout)
        end = await passed(made)
        assert (end.status, end.code) == (Status.HELD, "rejected")


async def test_a_released_rollback_is_written_again_and_a_second_one_counts_anew(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await passed(made)
        ours = made.repository.head()
        typed(made, "1.1.0", "1.0.0")
        assert (await passed(made)).code == "rejected"
        decided(made, f"app:\n  readmit: ['{ours}']\n")
        assert (await passed(made)).status is Status.UPDATED
        typed(made, "1.1.0", "1.0.0")
        assert (await passed(made)).code == "rejected"


async def test_a_released_revert_is_written_again(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await passed(made)
        ours = made.repository.head()
        made.repository.commit(
            {"apps/app.yaml": made.file("apps/app.yaml").replace("1.1.0", "1.0.0").encode()},
            message=f"Revert\n\nThis reverts commit {ours}.\n",
        )
        assert (await passed(made)).code == "rejected"
        decided(made, f"app:\n  readmit: ['{ours}']\n")
        assert (await passed(made)).status is Status.UPDATED
