"""A target that leaves it to the Application: its sources and their type say what is written."""

from __future__ import annotations

import pytest

from tests.argocd.live.making import IMAGE, helm, parameter, wanted
from updater.model.outcome import Status
from updater.model.subscription import WRITTEN_SOURCE, Locator

ANY = Locator(path=WRITTEN_SOURCE, spec=IMAGE)
BY_HELM = Locator(path=WRITTEN_SOURCE, name="a.name", tag="a.tag", section="helm")
BY_KUSTOMIZE = Locator(path=WRITTEN_SOURCE, name="web", spec=IMAGE, section="kustomize")
BOTH = [parameter("image.name", IMAGE, forceString=True), parameter("image.tag", "1.1.0", forceString=True)]
CHART, OVERLAY = {"repoURL": "u", "chart": "c"}, {"repoURL": "u", "path": "o"}


def typed(*types):
    return {"sourceType": types[0]} if len(types) == 1 else {"sourceTypes": list(types)}


@pytest.mark.parametrize(
    ("spec", "status", "path", "value"),
    [
        ({"source": OVERLAY}, typed("Kustomize"), "/spec/source/kustomize", {"images": [f"{IMAGE}:1.1.0"]}),
        ({"source": OVERLAY}, typed("Helm"), "/spec/source/helm", {"parameters": BOTH}),
        ({"source": CHART}, {}, "/spec/source/helm", {"parameters": BOTH}),
        ({"source": {**OVERLAY, "kustomize": {}}}, {}, "/spec/source/kustomize/images", [f"{IMAGE}:1.1.0"]),
        ({"sources": [OVERLAY, CHART]}, typed("Directory", "Helm"), "/spec/sources/1/helm", {"parameters": BOTH}),
        ({"sources": [OVERLAY, CHART]}, typed("Kustomize", "Helm"), "/spec/sources/0/kustomize", {"images": [f"{IMAGE}:1.1.0"]}),
        (
            {"sourceHydrator": {"drySource": OVERLAY}, "source": CHART},
            typed("Helm"),
            "/spec/sourceHydrator/drySource/helm",
            {"parameters": BOTH},
        ),
    ],
)
async def test_the_type_of_the_application_decides(stage, spec, status, path, value):
    await stage.put(spec, status=status)
    outcome = await stage.end(wanted(ANY))
    assert outcome.status is Status.UPDATED
    assert stage.patches == [[{"op": "add", "path": path, "value": value}]]
    assert (await stage.end(wanted(ANY))).status is Status.UNCHANGED


@pytest.mark.parametrize(
    ("locator", "status", "path"),
    [
        (BY_HELM, typed("Directory", "Helm"), "/spec/sources/1/helm"),
        (BY_KUSTOMIZE, typed("Kustomize", "Helm"), "/spec/sources/0/kustomize"),
        (BY_KUSTOMIZE, {}, "/spec/sources/0/kustomize"),
    ],
)
async def test_a_section_that_is_named_goes_to_its_source(stage, locator, status, path):
    chart = CHART if status else OVERLAY
    await stage.put({"sources": [OVERLAY, chart]}, status=status)
    assert (await stage.end(wanted(locator))).status is Status.UPDATED
    assert [step["path"] for step in stage.patches[0]] == [path]


@pytest.mark.parametrize(
    ("locator", "status", "said"),
    [
        (ANY, typed("Directory"), "type Directory"),
        (ANY, typed("Plugin"), "type Plugin"),
        (ANY, {}, "not known"),
        (ANY, typed("Unheard"), "not known"),
        (ANY, {"sourceTypes": [3]}, "not known"),
        (BY_HELM, typed("Kustomize"), "type Kustomize"),
        (BY_KUSTOMIZE, typed("Directory"), "type Directory"),
    ],
)
async def test_a_type_in_which_nothing_can_be_overridden_is_refused_with_the_reason(stage, locator, status, said):
    await stage.put({"source": OVERLAY}, status=status)
    outcome = await stage.end(wanted(locator))
    assert (outcome.status, outcome.code, stage.patches) == (Status.FAILED, "application-type", [])
    assert said in outcome.detail
    assert outcome.hint


async def test_without_a_source_there_is_nothing_to_write(stage):
    await stage.put({}, status=typed("Helm"))
    assert (await stage.end(wanted(ANY))).code == "no-source"
    assert (await stage.end(wanted(BY_HELM))).code == "no-source"


async def test_a_source_that_takes_the_place_of_another_meanwhile_is_looked_at_again(stage):
    await stage.put(helm(parameter("image.tag", "1.0.0")), status=typed("Helm"))
    view = await stage.writer.look(wanted().targets[0].destination, [wanted(ANY)])
    assert view.readings["app", 0][0].path == "argocd/shop/spec.source"
    await stage.put({"sources": [OVERLAY, helm(parameter("image.tag", "1.0.0"))["source"]]}, status=typed("Directory", "Helm"))
    assert (await stage.end(wanted(ANY))).status is Status.UPDATED
    assert stage.item()["spec"]["sources"][1]["helm"]["parameters"][0]["value"] == "1.1.0"


@pytest.mark.parametrize(
    ("sources", "types"),
    [
        ([OVERLAY, CHART], ["Directory", "Helm"]),
        ([OVERLAY, {**CHART, "helm": {}}], []),
        ([CHART, OVERLAY], ["Directory", "Helm"]),
    ],
)
async def test_a_place_that_another_source_took_is_refused(stage, sources, types):
    """The target was made when the sources stood in another order."""
    await stage.put({"sources": sources}, status={"sourceTypes": types})
    outcome = await stage.end(wanted(Locator(path="spec.sources[0]", tag="image.tag", section="helm")))
    assert (outcome.status, outcome.code, stage.patches) == (Status.FAILED, "source-gone", [])
    assert "spec.sources[1] is" in outcome.detail


async def test_of_two_sources_of_one_kind_the_named_one_is_written(stage):
    await stage.put({"sources": [helm()["source"], CHART]}, status=typed("Helm", "Helm"))
    outcome = await stage.end(wanted(Locator(path="spec.sources[1]", tag="image.tag", section="helm")))
    assert outcome.status is Status.UPDATED
    assert stage.patches[0][0]["path"] == "/spec/sources/1/helm"
