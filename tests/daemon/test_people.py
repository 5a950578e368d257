"""Decisions in a cluster: written to the object that asked, with the rights of who decides, and read from a ConfigMap."""

from __future__ import annotations

import json
import os

import pytest

from tests.argocd.request.making import OWN, application, image, reference, updater
from tests.fakes.kube import FakeKube, refuse, when
from tests.inventory.asking import configured, install
from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER
from updater.daemon import decision_watch
from updater.daemon.assembly import start_generation
from updater.daemon.decision_watch import HoldsConfigMap, HoldsFile, holds_place
from updater.daemon.people import decide
from updater.daemon.process import process_for
from updater.errors import ConfigError, KubeDenied
from updater.kube.kinds import CONFIG_MAP
from updater.settings.decision_edits import released
from updater.sources.file import load
from updater.sources.holds import read_holds_file

HOLD = "image-updater.gitops/web.hold"
LIST = {"image-list": "web=ghcr.io/o/web:^1.0"}
FILED = """\
git: {author: {name: u, email: u@example.org}}
holds: configmap:argocd/holds
subscriptions:
  - {key: shop, image: ghcr.io/o/shop, policy: {semver: {}}, targets: [{git: {url: "https://git.test/f"}, marker: "a:b"}]}
"""


@pytest.fixture
async def server():
    async with FakeKube() as server:
        install(server)
        await server.put(APPLICATION, "web", "argocd", **_content(application(LIST)))
        yield server


def _content(item):
    return {"metadata": {"annotations": item["metadata"]["annotations"]}, "spec": item["spec"], "status": item["status"]}


def held(entry):
    return {**entry, "hold": {"author": "Jane", "reason": "freeze"}}


async def test_a_hold_of_an_application_is_an_annotation_that_is_read_back_and_taken_away(server, tmp_path):
    config = [str(configured(server, tmp_path))]
    (done,) = await decide(config, "argocd/web/web", held)
    assert (done.key, done.where, done.has_changed) == ("argocd/web/web", "Application argocd/web", True)
    annotations = server.read(APPLICATION, "web", "argocd")["metadata"]["annotations"]
    assert json.loads(annotations[HOLD]) == {"author": "Jane", "reason": "freeze"}
    assert annotations["argocd-image-updater.argoproj.io/image-list"] == LIST["image-list"]
    (again,) = await decide(config, "argocd/web", held)
    assert not again.has_changed
    loaded = load([tmp_path / "updater.yaml"], {})
    async with process_for(loaded) as process:
        generation = await start_generation(loaded, process)
        await generation.runner.gather()
        (item,) = generation.subscriptions
        assert [decision.sentence for decision in item.decisions] == ["held by Jane: freeze"]
    await decide(config, "argocd/web/web", lambda _: {})
    assert HOLD not in server.read(APPLICATION, "web", "argocd")["metadata"]["annotations"]
    assert not (tmp_path / "holds.yaml").exists()


async def test_release_names_what_an_image_updater_or_the_whole_application_holds_still(server, tmp_path):
    made = updater(reference("*", image()))
    await server.put(
        IMAGE_UPDATER, "all", "argocd", metadata={"annotations": {f"{OWN}hold": '{"author":"Jane"}'}}, spec=made["spec"]
    )
    await server.put(
        APPLICATION, "web", "argocd", **_content(application(own={"reject": "1.3.0", "web.hold": '{"author":"Joe"}'}))
    )
    (done,) = await decide([str(configured(server, tmp_path))], "argocd/web/web", released)
    assert done.has_changed
    assert {(each.sentence, each.where) for each in done.elsewhere} == {
        ("held by Jane", f"ImageUpdater argocd/all {OWN}hold"),
        ("1.3.0 was rejected", f"Application argocd/web {OWN}reject"),
    }
    assert HOLD not in server.read(APPLICATION, "web", "argocd")["metadata"]["annotations"]


async def test_who_decides_about_an_image_that_a_hold_of_all_spares_does_not_hold_it_by_that(server, tmp_path):
    config = [str(configured(server, tmp_path))]
    await server.put(APPLICATION, "web", "argocd", **_content(application(LIST, own={"hold": "true", "web.hold": "false"})))
    for edit in (lambda _: {"reject": [{"tag": "1.4.4"}]}, released):
        (done,) = await decide(config, "argocd/web/web", edit)
        assert done.has_changed
        assert server.read(APPLICATION, "web", "argocd")["metadata"]["annotations"][HOLD] == "false"
    await decide(config, "argocd/web/web", held)
    assert json.loads(server.read(APPLICATION, "web", "argocd")["metadata"]["annotations"][HOLD])["author"] == "Jane"


async def test_an_unknown_key_names_a_near_one_and_nothing_is_written(server, tmp_path):
    with pytest.raises(ConfigError) as caught:
        await decide([str(configured(server, tmp_path))], "argocd/web/wbe", held)
    assert "did you mean 'argocd/web/web'?" in caught.value.hint
    assert HOLD not in server.read(APPLICATION, "web", "argocd")["metadata"]["annotations"]


async def test_without_the_right_to_change_the_object_the_command_fails(server, tmp_path):
    server.faults.append(when(lambda request: refuse(403, "no right") if request.method == "PATCH" else None))
    with pytest.raises(KubeDenied):
        await decide([str(configured(server, tmp_path))], "argocd/web/web", held)


async def test_a_decision_about_the_file_goes_to_the_config_map_that_is_named_and_is_made_if_need_be(server, tmp_path):
    config = [str(configured(server, tmp_path, FILED))]
    (done,) = await decide(config, "shop", held)
    assert (done.where, done.has_changed) == ("ConfigMap argocd/holds", True)
    text = server.read(CONFIG_MAP, "holds", "argocd")["data"]["holds.yaml"]
    assert text == "shop:\n  hold:\n    author: Jane\n    reason: freeze\n"
    loaded = load([tmp_path / "updater.yaml"], {})
    async with process_for(loaded) as process:
        generation = await start_generation(loaded, process)
        (item,) = generation.subscriptions
        assert item.decisions[0].sentence == "held by Jane: freeze"
    await decide(config, "shop", lambda _: {})
    assert server.read(CONFIG_MAP, "holds", "argocd")["data"]["holds.yaml"] == "{}\n"


async def test_a_config_map_without_rights_holds_everything_and_is_said_once(server, tmp_path):
    loaded = load([configured(server, tmp_path, FILED)], {})
    server.faults.append(when(lambda request: refuse(403, "no right") if "/holds" in request.path else None))
    async with process_for(loaded) as process:
        place = holds_place("configmap:argocd/holds", process)
        found = await place.read()
        assert found.decisions.hold("shop", 0.0)
        assert len(found.problems) == 1
        assert not await place.has_changed()
        assert (await place.read()).problems == found.problems


async def test_a_config_map_that_cannot_be_asked_for_a_moment_keeps_what_it_said(server, tmp_path):
    loaded = load([configured(server, tmp_path, FILED)], {})
    await server.put(CONFIG_MAP, "holds", "argocd", data={"holds.yaml": "shop:\n  hold: {}\n"})
    async with process_for(loaded) as process:
        place = holds_place("configmap:argocd/holds", process)
        assert (await place.read()).decisions.hold("shop", 0.0)
        server.faults.append(when(lambda request: refuse(500, "away") if "/holds" in request.path else None))
        assert not await place.has_changed()
        assert (await place.read()).decisions.hold("shop", 0.0)
        server.faults.clear()
        await server.put(CONFIG_MAP, "holds", "argocd", data={"holds.yaml": "{}\n"})
        assert await place.has_changed()
        assert (await place.read()).decisions.hold("shop", 0.0) is None
        await server.remove(CONFIG_MAP, "holds", "argocd")
        await place.has_changed()
        assert (await place.read()).problems == ()


async def test_a_config_map_whose_data_is_no_text_decides_nothing():
    async def get(_namespace, _name):
        return {"data": {"holds.yaml": 7}}

    assert (await HoldsConfigMap("a", "b", get).read()).problems == ()


async def test_a_file_that_was_emptied_keeps_what_it_said(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text("shop:\n  hold: {}\n")
    place = HoldsFile(path)
    assert (await place.read()).decisions.hold("shop", 0.0)
    path.write_text("")
    assert await place.has_changed()
    found = await place.read()
    assert found.decisions.hold("shop", 0.0)
    assert found.problems[0].code == "empty"
    path.unlink()
    assert await place.has_changed()
    assert (await place.read()).decisions.hold("shop", 0.0) is None


async def test_a_file_that_was_emptied_keeps_what_it_said_when_the_configuration_is_loaded_again(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text("shop:\n  hold: {}\n")
    config = tmp_path / "updater.yaml"
    config.write_text(FILED.replace("configmap:argocd/holds", str(path)))
    loaded = load([config], {})
    async with process_for(loaded) as process:
        await start_generation(loaded, process)
        path.write_text("")
        following = await start_generation(load([config], {}), process)
        (item,) = following.subscriptions
        assert [decision.sentence for decision in item.decisions] == ["held"]
        assert [problem.code for problem in following.problems] == ["empty"]


async def test_a_file_that_was_damaged_and_then_emptied_holds_everything_still(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text("shop: {hold: [\n")
    place = HoldsFile(path)
    assert (await place.read()).decisions.hold("any", 0.0)
    path.write_text("")
    assert (await place.read()).decisions.hold("any", 0.0)


async def test_a_file_that_is_emptied_just_before_it_is_read_keeps_what_it_said(tmp_path, monkeypatch):
    path = tmp_path / "holds.yaml"
    path.write_text("shop:\n  hold: {}\n")
    os.utime(path, (1, 1))  # nobody has written it for long
    place = HoldsFile(path)
    assert (await place.read()).decisions.hold("shop", 0.0)

    def emptied(found):
        path.write_text("")
        return read_holds_file(found)

    monkeypatch.setattr(decision_watch, "read_holds_file", emptied)
    found = await place.read()
    assert found.decisions.hold("shop", 0.0)
    assert found.problems[0].code == "empty"
