"""What one pass promises, over a real git http-backend and a registry: what is written, and what never is."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web

from tests.fakes.git_server import BareRepository, run_git
from tests.fakes.registry import always, times
from tests.flows.fleet import KUSTOMIZED, MARKED, VALUES, Status, add_usual, fleet, subscription
from updater.errors import ConfigError


def run_program(*command):
    subprocess.run(command, check=True, capture_output=True)


class Between:
    """Does something between the look and the push, once."""

    def __init__(self, writer, action):
        self.writer, self.action = writer, action

    async def look(self, destination, subscriptions):
        return await self.writer.look(destination, subscriptions)

    async def write(self, view, commits, *, is_dry):
        action, self.action = self.action, None
        if action:
            action()
        return await self.writer.write(view, commits, is_dry=is_dry)


async def test_three_kinds_of_places_move_in_one_commit_and_only_their_values_change(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        for name in ("app", "web", "api"):
            made.registry.push(f"o/{name}", "1.1.0")
        ends = await made.once()
        assert {end.status for end in ends.values()} == {Status.UPDATED}
        host = made.registry.host
        assert made.file("apps/app.yaml") == MARKED.format(host=host).replace("1.0.0", "1.1.0")
        assert made.file("apps/web/kustomization.yaml") == KUSTOMIZED.format(host=host).replace("1.0.0", "1.1.0")
        assert made.file("charts/values.yaml") == VALUES.format(host=host).replace("1.0.0", "1.1.0")
        assert made.commits() == ["updater: Update 3 images", "Person: first"]


async def test_a_second_pass_pushes_nothing_and_lists_each_image_once(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.registry.push("o/app", "1.1.0")
        await made.once()
        before, asked = made.server.count(), len(made.registry.asked)
        ends = await made.once()
        assert {end.status for end in ends.values()} == {Status.UNCHANGED}
        assert made.server.count() - before <= 2
        assert len(made.registry.asked) - asked == 3


async def test_the_commit_carries_the_trailers_with_the_digest_of_what_was_written(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        digest = made.registry.push("o/app", "1.1.0")
        await made.once()
        message = made.repository.git("log", "-1", "--format=%B")
        assert "Updater-Subscription: app\n" in message
        assert "Updater-Policy: semver >=1.0.0\n" in message
        assert f"Updater-Image: {made.registry.host}/o/app:1.1.0@{digest}" in message


async def test_nothing_goes_down_when_the_written_tag_is_higher(tmp_path):
    async with fleet(tmp_path, **{"a.yaml": MARKED.replace("1.0.0", "2.0.0")}) as made:
        made.add("app", "marker: ns:app")
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.HELD, "downgrade")
        assert made.commits() == ["Person: first"]


async def test_a_dry_run_pushes_nothing_and_shows_what_would_change(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        end = (await made.once(is_dry=True))["app"]
        assert (end.status, end.code) == (Status.HELD, "dry-run")
        assert [(change.old.rpartition(":")[2], change.new.rpartition(":")[2]) for change in end.changes] == [("1.0.0", "1.1.0")]
        assert made.commits() == ["Person: first"]


async def test_a_pin_pushed_between_look_and_land_stays(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        pinned = MARKED.format(host=made.registry.host).replace("1.0.0", "9.9.9").encode()
        end = (await made.once(wrap=lambda writer: Between(writer, lambda: made.repository.commit({"apps/app.yaml": pinned}))))[
            "app"
        ]
        assert (end.status, end.code) == (Status.HELD, "downgrade")
        assert made.file("apps/app.yaml") == pinned.decode()


async def test_a_person_who_pushes_elsewhere_first_keeps_their_commit_below_ours(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        end = (await made.once(wrap=lambda writer: Between(writer, lambda: made.repository.commit({"other.txt": b"x\n"}))))["app"]
        assert end.status is Status.UPDATED
        assert made.commits() == [
            "updater: Update " + made.registry.host + "/o/app to 1.1.0",
            "Person: a person's change",
            "Person: first",
        ]
        assert "forced" not in {push[0] for push in made.repository.pushes}


@pytest.mark.parametrize("when", ["before", "between look and push", "after"])
async def test_the_cache_deleted_between_any_two_steps_causes_no_wrong_write(tmp_path, when):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.registry.push("o/app", "1.1.0")
        if when == "before":
            await made.once()
            made.registry.push("o/app", "1.2.0")
            made.forget()
        action = (lambda: shutil.rmtree(made.state)) if when.startswith("between") else None
        ends = await made.once(wrap=lambda writer: Between(writer, action))
        if ends["app"].status is Status.FAILED:  # the push that lost its ground says so, and the next pass lands
            ends = await made.once()
        if when == "after":
            made.forget()
            assert {end.status for end in (await made.once()).values()} == {Status.UNCHANGED}
        newest = "1.2.0" if when == "before" else "1.1.0"
        assert made.file("apps/app.yaml") == MARKED.format(host=made.registry.host).replace("1.0.0", newest)
        assert made.commits().count("Person: first") == 1
        assert "forced" not in {push[0] for push in made.repository.pushes}


async def test_two_subscriptions_for_one_marker_are_refused_both(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.add("web", "marker: ns:app")
        ends = await made.once()
        assert {end.code for end in ends.values()} == {"conflict"}
        assert made.commits() == ["Person: first"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(lambda: times(99, 401, part="o/web"), "registry-denied", id="401"),
        pytest.param(lambda: times(99, 403, part="o/web"), "registry-denied", id="403"),
        pytest.param(lambda: times(99, 404, part="o/web"), "image-not-found", id="404"),
        pytest.param(lambda: times(99, 429, part="o/web", headers={"Retry-After": "900"}), "rate-limited", id="429"),
        pytest.param(lambda: times(99, 503, part="o/web"), "registry-unavailable", id="503"),
        pytest.param(
            lambda: always("o/web", lambda _: web.Response(text="<html>sign in</html>", content_type="text/html")),
            "registry-not-json",
            id="html",
        ),
    ],
)
async def test_a_registry_that_fails_for_one_image_fails_that_one_and_the_others_land(tmp_path, fault, code):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.registry.push("o/app", "1.1.0")
        made.registry.push("o/web", "1.1.0")
        made.registry.faults.append(fault())
        ends = await made.once()
        assert (ends["web"].status, ends["web"].code) == (Status.FAILED, code)
        assert ends["app"].status is Status.UPDATED
        assert "newTag: 1.0.0" in made.file("apps/web/kustomization.yaml")


async def test_a_file_that_is_not_yaml_a_missing_key_and_an_unknown_marker_are_said_and_the_rest_lands(tmp_path):
    files = {
        "a.yaml": MARKED,
        "broken.yaml": 'x: {{- toYaml }}\nimage: a:1 # {{"$imagepolicy": "ns:app"}}\n',
        "typo.yaml": 'image: {host}/o/app:1.0.0 # {{"$imagepolicy": "ns:ap"}}\n',
        "values.yaml": "image: {{tag: 1.0.0}}\n",
    }
    async with fleet(tmp_path, **files) as made:
        made.add("app", "marker: ns:app")
        made.add("api", "helm: {file: values.yaml, tag: image.tgg}")
        made.registry.push("o/app", "1.1.0")
        async with made.opened() as generation:
            (landing,) = await generation.once(generation.loaded.snapshot.subscriptions, is_dry=False)
        ends = {end.key: end for end in landing.outcomes}
        assert ends["app"].status is Status.UPDATED
        assert (ends["api"].status, ends["api"].code) == (Status.FAILED, "no-such-key")
        assert "image.tag" in ends["api"].hint
        notes = {note.path: note for note in landing.view.notes}
        assert (notes["typo.yaml"].code, notes["typo.yaml"].setter) == ("unknown-policy", "ns:ap")
        assert "ns:app" in notes["typo.yaml"].hint
        assert notes["broken.yaml"].line is not None


async def test_a_push_branch_is_rebuilt_from_its_base_and_keeps_the_value_of_a_subscription_whose_scan_failed(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", push="auto")
        made.add("web", "kustomize: {path: apps/web, name: web}", push="auto")
        made.registry.push("o/app", "1.1.0")
        made.registry.push("o/web", "1.1.0")
        await made.once()
        assert "newTag: 1.1.0" in made.file("apps/web/kustomization.yaml", "auto")
        made.repository.commit({"other.txt": b"x\n"})
        made.registry.push("o/app", "1.2.0")
        made.registry.faults.append(times(99, 503, part="o/web"))
        ends = await made.once()
        assert (ends["app"].status, ends["web"].status) == (Status.UPDATED, Status.FAILED)
        assert "1.2.0" in made.file("apps/app.yaml", "auto")
        assert "newTag: 1.1.0" in made.file("apps/web/kustomization.yaml", "auto")
        assert made.file("other.txt", "auto") == "x\n"
        assert "1.0.0" in made.file("apps/app.yaml", "main")


async def test_a_push_branch_with_the_same_base_and_tree_is_not_pushed_again(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", push="auto")
        made.registry.push("o/app", "1.1.0")
        await made.once()
        head = made.repository.head("auto")
        end = (await made.once())["app"]
        assert (end.status, made.repository.head("auto")) == (Status.UNCHANGED, head)


async def test_a_push_branch_that_holds_a_persons_commit_is_never_overwritten(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", push="auto")
        made.registry.push("o/app", "1.1.0")
        await made.once()
        person = made.repository.commit({"mine.txt": b"x\n"}, branch="auto")
        made.registry.push("o/app", "1.2.0")
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.FAILED, "foreign-commits")
        assert made.repository.head("auto") == person


async def test_a_declined_push_fails_with_the_servers_words_and_the_next_pass_tries_again(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        made.repository.decline_pushes("main is protected")
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.FAILED, "push-declined")
        (made.repository.path / "hooks" / "pre-receive").unlink()
        assert (await made.once())["app"].status is Status.UPDATED


async def test_a_missing_branch_fails_by_name(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", branch="mian")
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.FAILED, "branch-missing")


async def test_a_digest_policy_asks_for_its_tag_alone_and_pins_it(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", policy="{digest: {tag: stable}}", more="form: tag@digest")
        digest = made.registry.push("o/app", "stable")
        end = (await made.once())["app"]
        assert end.status is Status.UPDATED
        assert f"o/app:stable@{digest} " in made.file("apps/app.yaml")
        assert not [asked for asked in made.registry.asked if "tags/list" in asked.path]


async def test_a_tag_pushed_anew_moves_the_digest_that_is_written(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", policy="{digest: {tag: stable}}", more="form: digest")
        made.registry.push("o/app", "stable", labels={"build": "1"})
        await made.once()
        second = made.registry.push("o/app", "stable", labels={"build": "2"})
        end = (await made.once())["app"]
        assert end.status is Status.UPDATED
        assert f"o/app@{second} " in made.file("apps/app.yaml")


async def test_latest_moves_to_the_newest_build_and_equal_times_never_cause_a_change(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", policy="{latest: {}}", more="variant: any")
        old, new = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)
        made.registry.push("o/app", "1.0.0", created=old)
        made.registry.push("o/app", "build-a", created=new)
        assert (await made.once())["app"].status is Status.UPDATED
        assert "o/app:build-a " in made.file("apps/app.yaml")


async def test_what_the_policy_cannot_read_is_held_and_nothing_is_pushed(tmp_path):
    files = {"apps/app.yaml": MARKED.replace("1.0.0", "3.0.1.4259")}
    async with fleet(tmp_path, **files) as made:
        made.add("app", "marker: ns:app")
        for tag in ("3.0.1.4259", "3.0.2.4300", "2.5.0"):
            made.registry.push("o/app", tag)
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.HELD, "unreadable")
        assert "pep440" in end.hint
        assert made.commits() == ["Person: first"]
        made.subscriptions.clear()
        made.add("app", "marker: ns:app", policy="{pep440: {}}")
        assert (await made.once())["app"].status is Status.UPDATED
        assert "o/app:3.0.2.4300 " in made.file("apps/app.yaml")


async def test_a_marker_newly_added_in_git_gets_its_value_with_the_next_look(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        async with made.opened() as generation:
            subscriptions = generation.loaded.snapshot.subscriptions
            await generation.once(subscriptions, is_dry=False)
            asked = len(made.registry.asked)
            made.repository.commit({"new.yaml": MARKED.format(host=made.registry.host).encode()})
            await generation.land(subscriptions[0].targets[0].destination)
            assert "1.1.0" in made.file("new.yaml")
            assert [item.path for item in made.registry.asked[asked:]] in ([], ["/v2/o/app/manifests/1.1.0"])


async def test_a_reverted_commit_of_ours_stays_reverted_until_something_newer_comes(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await made.once()
        checkout = tmp_path / "checkout"
        run_git("clone", "-q", made.repository.path, checkout)
        run_git("revert", "--no-edit", "HEAD", cwd=checkout)
        run_git("push", "-q", cwd=checkout)
        made.forget()
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.HELD, "rejected")
        assert "updater release app lets" in end.hint
        assert "1.0.0" in made.file("apps/app.yaml")
        made.registry.push("o/app", "1.2.0")
        assert (await made.once())["app"].status is Status.UPDATED
        assert "1.2.0" in made.file("apps/app.yaml")


async def test_another_build_under_a_reverted_tag_is_another_candidate(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0", labels={"build": "1"})
        await made.once()
        checkout = tmp_path / "checkout"
        run_git("clone", "-q", made.repository.path, checkout)
        run_git("revert", "--no-edit", "HEAD", cwd=checkout)
        run_git("push", "-q", cwd=checkout)
        made.registry.push("o/app", "1.1.0", labels={"build": "2"})
        assert (await made.once())["app"].status is Status.UPDATED


async def test_a_signed_commit_verifies_with_git_and_a_template_of_the_user_is_its_text(tmp_path):
    async with fleet(tmp_path) as made:
        key = tmp_path / "key"
        run_program("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        made.extra = (
            f'  signing: {{method: ssh, key: "file:{key}"}}\n'
            '  message: "chore: {{range .Changes}}{{.Subscription}} {{.New}}{{end}}"\n'
        )
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        assert (await made.once())["app"].status is Status.UPDATED
        assert made.commits()[0].startswith("updater: chore: app ")
        allowed = tmp_path / "allowed"
        allowed.write_text(f"updater@example.org {key.with_suffix('.pub').read_text()}")
        config = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed}")
        run_git(*config, "--git-dir", made.repository.path, "verify-commit", "main")


async def test_each_commit_spec_has_its_own_commit_and_each_outcome_names_its_own(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.add("web", "kustomize: {path: apps/web, name: web}")
        for name in ("app", "web"):
            made.registry.push(f"o/{name}", "1.1.0")
        async with made.opened() as generation:
            app, web = generation.loaded.snapshot.subscriptions
            (target,) = web.targets
            target = replace(target, commit_spec=replace(target.commit_spec, name="release-train"))
            web = replace(web, targets=(target,))
            (landing,) = await generation.once((app, web), is_dry=False)
        assert [line.partition(":")[0] for line in made.commits()] == ["release-train", "updater", "Person"]
        revisions = {outcome.key: outcome.revision for outcome in landing.outcomes}
        assert revisions["web"] == made.repository.head()
        assert revisions["app"] == made.repository.git("rev-parse", "main~1").strip()
        assert len(made.repository.pushes) == 1


async def test_markers_above_the_path_of_a_target_are_left_alone(tmp_path):
    """The case flux-152."""
    async with fleet(tmp_path, **{"apps/a.yaml": MARKED, "other/b.yaml": MARKED}) as made:
        made.subscriptions.append(
            subscription("app", made.registry.host, made.url, "marker: ns:app").replace(
                "branch: main", "branch: main, path: apps"
            )
        )
        made.registry.push("o/app", "1.1.0")
        assert (await made.once())["app"].status is Status.UPDATED
        assert "1.1.0" in made.file("apps/a.yaml")
        assert "1.0.0" in made.file("other/b.yaml")


async def test_an_empty_repository_is_named_as_the_reason_and_nothing_is_written(tmp_path):
    """The case flux-342."""
    async with fleet(tmp_path) as made:
        BareRepository.make(tmp_path / "repos" / "empty.git")
        made.subscriptions.append(subscription("app", made.registry.host, made.server.url("empty.git"), "marker: ns:app"))
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.FAILED, "branch-missing")


async def test_a_push_branch_that_does_not_exist_is_made_from_the_base(tmp_path):
    """The case flux-321."""
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", push="ddd")
        made.registry.push("o/app", "1.1.0")
        assert (await made.once())["app"].status is Status.UPDATED
        assert made.repository.git("rev-parse", "ddd~1").strip() == made.repository.head("main")
        assert made.repository.pushes[0][:2] == ["new", "refs/heads/ddd"]


async def test_one_subscription_alone_on_a_rebuilt_branch_takes_the_others_along(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", push="auto")
        made.add("web", "kustomize: {path: apps/web, name: web}", push="auto")
        for name in ("app", "web"):
            made.registry.push(f"o/{name}", "1.1.0")
        await made.once()
        made.registry.push("o/app", "1.2.0")
        async with made.opened() as generation:
            await generation.once(generation.loaded.snapshot.subscriptions[:1], is_dry=False)
        assert "1.2.0" in made.file("apps/app.yaml", "auto")
        assert "newTag: 1.1.0" in made.file("apps/web/kustomization.yaml", "auto")


async def test_one_push_branch_over_two_bases_is_refused_before_anything_runs(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", push="auto")
        made.add("web", "kustomize: {path: apps/web, name: web}", branch="release", push="auto")
        with pytest.raises(ConfigError, match="over release"):
            await made.once()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        pytest.param({"branch": "auto"}, "another one over main", id="chain"),
        pytest.param({"url": "/"}, "one repository one way", id="spelling"),
    ],
)
async def test_branches_that_would_undo_each_other_are_refused_before_anything_runs(tmp_path, other, words):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", push="auto")
        url = made.url + other.get("url", "")
        place = "kustomize: {path: apps/web, name: web}"
        made.subscriptions.append(subscription("web", made.registry.host, url, place, branch=other.get("branch", "main")))
        with pytest.raises(ConfigError) as caught:
            await made.once()
        assert words in f"{caught.value.message} {caught.value.hint}"


async def test_a_digest_is_asked_for_once_and_only_of_what_a_commit_will_name(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.registry.push("o/app", "1.1.0")
        made.registry.push("o/web", "1.1.0")
        counts = []
        for is_dry in (True, False, False):
            before = len(made.registry.asked)
            await made.once(is_dry=is_dry)
            counts.append(Counter(asked.method for asked in made.registry.asked[before:]))
        assert counts == [{"GET": 3}, {"GET": 3, "HEAD": 2}, {"GET": 3}]
        message = made.repository.git("log", "-1", "--format=%B", "main")
        assert len(re.findall(r"^Updater-Image: .*@sha256:[0-9a-f]{64}$", message, re.MULTILINE)) == 2
