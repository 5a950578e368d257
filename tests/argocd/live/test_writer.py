"""Live Applications: what is written there is found, and one patch changes our own values alone."""

from __future__ import annotations

import pytest

from tests.argocd.live.making import HELM, IMAGE, KUSTOMIZE, PLUGIN, SHOP, SPEC, TAG, helm, parameter, wanted
from tests.engine.making import SHA
from updater.cli.report import outcome_lines
from updater.model.diff import as_diff
from updater.model.outcome import Status
from updater.model.subscription import Form, Locator
from updater.model.written import Written

OTHER = parameter("replicas", "3")


async def test_a_parameter_changes_in_place_and_nothing_else_does(stage):
    before = helm(OTHER, parameter("image.tag", "1.0.0", forceString=True), parameter("z", "1"))
    before["source"]["helm"] |= {"values": "image: {tag: 0.1}\n", "valueFiles": ["a.yaml"], "releaseName": "x"}
    await stage.put(before, status={"health": "fine"})
    outcome = await stage.end()
    assert (outcome.status, outcome.detail, outcome.revision) == (Status.UPDATED, "1.0.0 → 1.1.0", str(stage.server.version))
    assert outcome_lines(outcome, 7)[0].endswith(f"1.0.0 → 1.1.0, resourceVersion {stage.server.version}")
    assert stage.patches == [[{"op": "replace", "path": "/spec/source/helm/parameters/1/value", "value": "1.1.0"}]]
    before["source"]["helm"]["parameters"][1]["value"] = "1.1.0"
    assert (stage.item()["spec"], stage.item()["status"]) == (before, {"health": "fine"})


async def test_a_value_that_stands_there_is_no_write(stage):
    await stage.put(helm(parameter("image.tag", "1.1.0")))
    assert (await stage.end()).status is Status.UNCHANGED
    assert stage.patches == []
    assert stage.counted == [("updater_looks_total", "read")]


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ({}, [("add", "/spec/source/helm", {"parameters": ["new"]})]),
        ({"helm": None}, [("add", "/spec/source/helm", {"parameters": ["new"]})]),
        ({"helm": {"values": "a: 1"}}, [("add", "/spec/source/helm/parameters", ["new"])]),
        ({"helm": {"parameters": None}}, [("add", "/spec/source/helm/parameters", ["new"])]),
        ({"helm": {"parameters": []}}, [("add", "/spec/source/helm/parameters/-", "new")]),
        ({"helm": {"parameters": [OTHER]}}, [("add", "/spec/source/helm/parameters/-", "new")]),
    ],
)
async def test_a_parameter_that_is_not_there_is_added_with_the_objects_it_needs(stage, source, steps):
    await stage.put({"source": {"repoURL": "u", **source}})
    outcome = await stage.end()
    assert (outcome.status, outcome.changes[0].old, outcome.changes[0].new) == (Status.UPDATED, "", "1.1.0")
    text = str(stage.patches[0]).replace(str(parameter("image.tag", "1.1.0", forceString=True)), "'new'")
    assert text == str([{"op": operation, "path": path, "value": value} for operation, path, value in steps])


@pytest.mark.parametrize("old", [{"forceString": False}, {"forceString": 1}, {}])
async def test_a_tag_that_looks_like_a_number_stays_a_text(stage, old):
    await stage.put(helm(parameter("image.tag", "1.10", **old), parameter("other", "1", forceString=False)))
    await stage.end(tag="1.20")
    assert stage.source["helm"]["parameters"] == [
        parameter("image.tag", "1.20", forceString=True),
        parameter("other", "1", forceString=False),
    ]


async def test_a_value_of_another_type_is_replaced_by_a_text(stage):
    await stage.put(helm(parameter("image.tag", 1.1)))
    await stage.end(tag="1.2")
    assert stage.source["helm"]["parameters"] == [parameter("image.tag", "1.2", forceString=True)]


async def test_name_and_tag_are_written_together_and_the_spelling_of_a_name_stays(stage):
    await stage.put(helm(parameter("image.tag", "1.0.0", forceString=True)))
    outcome = await stage.end(wanted(HELM))
    assert [(change.where, change.old, change.new) for change in outcome.changes] == [
        ("helm.parameters[image.name]", "", IMAGE),
        ("helm.parameters[image.tag]", "1.0.0", "1.1.0"),
    ]
    await stage.put(helm(parameter("image.name", "nginx"), parameter("image.tag", "1.0.1", forceString=True)))
    await stage.end(wanted(HELM, image="docker.io/library/nginx"))
    assert [item["value"] for item in stage.source["helm"]["parameters"]] == ["nginx", "1.1.0"]


async def test_a_full_reference_and_digests_are_written_by_their_form(stage):
    await stage.put(helm(parameter("image", f"{IMAGE}:1.0.0"), parameter("image.tag", "1.0.0")))
    both = Form.TAG_AND_DIGEST
    landing = await stage.land(wanted(SPEC, form=both, key="a"), wanted(TAG, form=both, key="b"), digest=SHA)
    assert [outcome.status for outcome in landing.outcomes] == [Status.UPDATED, Status.UPDATED]
    assert [item["value"] for item in stage.source["helm"]["parameters"]] == [f"{IMAGE}:1.1.0@{SHA}", f"1.1.0@{SHA}"]


@pytest.mark.parametrize(
    ("images", "locator", "after"),
    [
        ([], KUSTOMIZE, [f"{IMAGE}:1.1.0"]),
        ([f"{IMAGE}:1.0.0", "b:1"], KUSTOMIZE, [f"{IMAGE}:1.1.0", "b:1"]),
        (["b:1", f"web={IMAGE}:1.0.0"], Locator(path="spec.source", name="web", spec=IMAGE, section="kustomize"), None),
        ([f"web={IMAGE}:1.0.0"], KUSTOMIZE, [f"web={IMAGE}:1.1.0"]),
        (["b:1"], Locator(path="spec.source", name="web", spec=IMAGE, section="kustomize"), ["b:1", f"web={IMAGE}:1.1.0"]),
    ],
)
async def test_kustomize_images_are_replaced_in_place_or_appended(stage, images, locator, after):
    await stage.put({"source": {"kustomize": {"images": images, "namePrefix": "p-"}}})
    outcome = await stage.end(wanted(locator))
    assert outcome.status is Status.UPDATED
    assert stage.source["kustomize"] == {"images": after or ["b:1", f"web={IMAGE}:1.1.0"], "namePrefix": "p-"}
    assert len(stage.patches[0]) == 1


async def test_the_environment_of_a_plugin_is_written_without_forcing_a_type(stage):
    await stage.put({"source": {"plugin": {"name": "cmp", "env": [parameter("TAG", "1.0.0"), parameter("A", "b")]}}})
    assert (await stage.end(wanted(PLUGIN))).status is Status.UPDATED
    assert stage.source["plugin"] == {"name": "cmp", "env": [parameter("TAG", "1.1.0"), parameter("A", "b")]}
    await stage.put({"source": {"plugin": {"name": "cmp"}}})
    await stage.end(wanted(PLUGIN))
    assert stage.source["plugin"] == {"name": "cmp", "env": [parameter("TAG", "1.1.0")]}


@pytest.mark.parametrize(
    ("spec", "path", "pointer"),
    [
        ({"sources": [{"chart": "a"}, helm()["source"]]}, "spec.sources[1]", "/spec/sources/1"),
        ({"sourceHydrator": {"drySource": {"path": "a"}}}, "spec.sourceHydrator.drySource", "/spec/sourceHydrator/drySource"),
    ],
)
async def test_the_source_that_a_target_names_is_written(stage, spec, path, pointer):
    await stage.put(spec)
    assert (await stage.end(wanted(Locator(path=path, tag="image.tag", section="helm")))).status is Status.UPDATED
    assert stage.patches[0][0]["path"].startswith(f"{pointer}/helm")


async def test_several_commit_specs_and_sources_are_one_patch(stage):
    await stage.put({"sources": [helm(parameter("a.tag", "1.0.0"))["source"], {"kustomize": {"images": ["b:1.0.0"]}}]})
    first = wanted(Locator(path="spec.sources[0]", tag="a.tag", section="helm"), key="a", author="one")
    second = wanted(Locator(path="spec.sources[1]", spec="b", section="kustomize"), key="b", image="b", author="two")
    third = wanted(Locator(path="spec.sources[0]", tag="c.tag", section="helm"), key="c", author="two")
    landing = await stage.land(first, second, third)
    assert [outcome.status for outcome in landing.outcomes] == [Status.UPDATED] * 3
    assert len(stage.patches) == 1
    assert len({outcome.revision for outcome in landing.outcomes}) == 1
    assert stage.counted.count(("updater_commits_total", "argocd")) == 1


async def test_what_runs_stands_for_a_place_that_is_not_written(stage):
    await stage.put(
        {"source": {"path": "a"}}, status={"summary": {"images": ["busybox", f"{IMAGE}:1.1.0", "sha256:x", "<bad>", 3]}}
    )
    assert (await stage.end()).status is Status.UNCHANGED
    await stage.touch(summary={"images": [f"{IMAGE}:1.0.0"]})
    assert (await stage.end()).detail == "1.0.0 → 1.1.0"
    await stage.put({"source": {"path": "a"}})
    running = Written(name=IMAGE, tag="1.1.0")
    assert (await stage.end(wanted(running=running))).status is Status.UNCHANGED


@pytest.mark.parametrize("order", [1, -1])
async def test_one_stale_digest_among_several_that_run_is_written_in_any_order(stage, order):
    old, new = (f"{IMAGE}:1.1.0@sha256:{letter * 64}" for letter in "ab")
    asked = wanted(form=Form.TAG_AND_DIGEST)
    await stage.put({"source": {"path": "a"}}, status={"summary": {"images": [old, new][::order]}})
    assert (await stage.end(asked, digest="sha256:" + "b" * 64)).status is Status.UPDATED
    await stage.put({"source": {"path": "a"}}, status={"summary": {"images": [new, new]}})
    assert (await stage.end(asked, digest="sha256:" + "b" * 64)).status is Status.UNCHANGED


async def test_the_name_that_kustomize_replaces_runs_too(stage):
    await stage.put({"source": {"path": "a"}}, status={"summary": {"images": ["web:1.1.0"]}})
    kustomized = Locator(path="spec.source", name="web", spec=IMAGE, section="kustomize")
    assert (await stage.end(wanted(kustomized))).changes[0].new == f"web={IMAGE}:1.1.0"
    odd = Locator(path="spec.source", name="<odd>", spec=IMAGE, section="kustomize")
    assert (await stage.end(wanted(odd))).status is Status.UPDATED


async def test_a_dry_run_shows_the_overrides_before_and_after_and_writes_nothing(stage):
    await stage.put(helm(OTHER, parameter("image.tag", "1.10")))
    landing = await stage.land(is_dry=True, tag="1.20")
    (outcome,) = landing.outcomes
    assert (outcome.status, outcome.code, outcome.detail) == (Status.HELD, "dry-run", "would move 1.10 → 1.20")
    assert stage.patches == []
    assert as_diff(landing.landed.edits).splitlines() == [
        "diff --git a/argocd/shop/spec.source b/argocd/shop/spec.source",
        "--- a/argocd/shop/spec.source",
        "+++ b/argocd/shop/spec.source",
        "@@ -3,4 +3,5 @@",
        "   - name: replicas",
        '     value: "3"',
        "   - name: image.tag",
        '-    value: "1.10"',
        '+    value: "1.20"',
        "+    forceString: true",
    ]
    assert [(change.path, change.line, change.where) for change in outcome.changes] == [
        ("argocd/shop/spec.source", 6, "helm.parameters[image.tag]")
    ]


async def test_a_look_names_the_version_and_reads_what_targets_of_this_application_say(stage):
    await stage.put(helm(parameter("image.tag", "1.0.0")))
    other = wanted(key="else", application=type(SHOP)(namespace="argocd", name="other"))
    view = await stage.writer.look(SHOP, [wanted(), other])
    assert view.head == stage.item()["metadata"]["resourceVersion"]
    assert list(view.readings) == [("app", 0)]
    (reading,) = view.readings["app", 0]
    assert (reading.path, reading.where, reading.written) == (
        "argocd/shop/spec.source",
        "helm.parameters[image.tag]",
        Written(tag="1.0.0"),
    )
