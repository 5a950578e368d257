"""Live Applications that change, vanish, are of another shape, or may not be written: a clear outcome, and never an overwrite."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.argocd.live.making import IMAGE, KUSTOMIZE, PLUGIN, SHOP, TAG, helm, parameter, parts, wanted
from tests.engine.making import SHA
from tests.fakes.kube import refuse, when
from updater.argocd.live.writer import APPLICATION, ATTEMPTS
from updater.engine.landing import ATTEMPTS as LANDINGS
from updater.engine.landing import land
from updater.errors import KubeGone
from updater.model.outcome import Status
from updater.model.subscription import Form, Locator

OLD = parameter("image.tag", "1.0.0", forceString=True)


def before_patches(act, *, times=10**9):
    """A fault: something happens just before each patch."""

    async def make(request):
        await act()

    return when(make, method="PATCH", times=times)


async def test_the_status_of_a_busy_application_loses_no_write(stage):
    await stage.put(helm(OLD))
    stage.server.faults.append(before_patches(stage.touch, times=ATTEMPTS - 1))
    landing = await stage.land()
    assert [outcome.status for outcome in landing.outcomes] == [Status.UPDATED]
    assert (landing.replays, len(stage.patches)) == (0, ATTEMPTS)
    assert stage.source["helm"]["parameters"][0]["value"] == "1.1.0"


async def test_what_others_write_beside_our_values_stays(stage):
    await stage.put(helm(OLD))

    async def edit():
        await stage.put({**helm(parameter("new", "x"), OLD), "syncPolicy": {"automated": {}}})

    stage.server.faults.append(before_patches(edit, times=1))
    assert (await stage.end()).status is Status.UPDATED
    assert stage.patches[-1] == [{"op": "replace", "path": "/spec/source/helm/parameters/1/value", "value": "1.1.0"}]
    assert [item["value"] for item in stage.source["helm"]["parameters"]] == ["x", "1.1.0"]
    assert stage.item()["spec"]["syncPolicy"] == {"automated": {}}


async def test_a_value_that_somebody_pins_meanwhile_is_decided_again(stage):
    await stage.put(helm(OLD))
    seen, pauses = [], []
    components = parts(stage.writer, pauses=pauses)

    async def choose(item, written, *, needs_digest, rejected, named):
        seen.append(written.tag)
        return await components.choose(item, written, needs_digest=needs_digest, rejected=rejected, named=named)

    async def pin():
        await stage.put(helm(parameter("image.tag", "0.9.0", forceString=True)))

    stage.server.faults.append(before_patches(pin, times=1))
    landing = await land(SHOP, (wanted(),), type(components)(writer=components.writer, choose=choose, pause=components.pause))
    assert (seen, pauses, landing.replays) == (["1.0.0", "0.9.0"], [1], 1)
    assert landing.outcomes[0].detail == "0.9.0 → 1.1.0"


async def test_a_status_that_never_rests_ends_the_landing_after_bounded_attempts(stage):
    await stage.put(helm(OLD))
    stage.server.faults.append(before_patches(stage.touch))
    pauses = []
    outcome = await stage.end(pauses=pauses)
    assert (outcome.status, outcome.code) == (Status.FAILED, "push-refused")
    assert (len(stage.patches), len(pauses)) == (LANDINGS * ATTEMPTS, LANDINGS - 1)
    assert stage.source["helm"]["parameters"] == [OLD]


async def test_an_application_that_is_not_there_or_is_leaving_is_said(stage):
    outcome = await stage.end()
    assert (outcome.status, outcome.code) == (Status.FAILED, "application-gone")
    assert "argocd/shop" in outcome.detail
    await stage.put(helm(OLD), metadata={"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]})
    assert (await stage.end()).code == "application-gone"
    with pytest.raises(KubeGone):
        await stage.writer.look(SHOP, [wanted()])


@pytest.mark.parametrize("before", ["GET", "PATCH"])
async def test_an_application_deleted_between_look_and_write_is_said(stage, before):
    await stage.put(helm(OLD))
    components = parts(stage.writer)

    async def remove(request):
        await stage.server.remove(APPLICATION, "shop", "argocd")

    async def choose(item, written, *, needs_digest, rejected, named):
        stage.server.faults.append(when(remove, method=before, times=1))
        return await components.choose(item, written, needs_digest=needs_digest, rejected=rejected, named=named)

    landing = await land(SHOP, (wanted(),), type(components)(writer=components.writer, choose=choose, pause=components.pause))
    assert [(outcome.status, outcome.code) for outcome in landing.outcomes] == [(Status.FAILED, "application-gone")]


async def test_what_an_applicationset_made_is_not_written(stage):
    await stage.put(helm(OLD), metadata={"ownerReferences": [{"kind": "Node"}, 3, {"kind": "ApplicationSet", "name": "fleet"}]})
    outcome = await stage.end()
    assert (outcome.status, outcome.code, stage.patches) == (Status.FAILED, "application-set", [])
    assert "fleet" in outcome.detail


@pytest.mark.parametrize(
    ("answer", "code", "hint"),
    [
        ((403, 'applications.argoproj.io "shop" is forbidden: User "u" cannot patch resource'), "kube-denied", "grant patch on"),
        ((403, 'admission webhook "rules.example" denied the request: no'), "admission", "webhook"),
        ((422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: frozen"), "admission", "policy"),
        ((422, "spec.source.helm.parameters[0].value: Invalid value"), "kube-invalid", "definition"),
        ((401, "Unauthorized"), "kube-denied", "renew the token"),
    ],
)
async def test_a_patch_that_the_cluster_does_not_take_is_refused_once_and_not_sent_again(stage, answer, code, hint):
    await stage.put({"sources": [helm(OLD)["source"], helm(parameter("image.tag", "1.1.0"))["source"]]})
    stage.server.faults.append(when(lambda _: refuse(*answer), method="PATCH"))
    first, second = (Locator(path=f"spec.sources[{index}]", tag="image.tag", section="helm") for index in (0, 1))
    landing = await stage.land(wanted(first, key="a"), wanted(second, key="b"))
    assert [(outcome.status, outcome.code) for outcome in landing.outcomes] == [(Status.FAILED, code), (Status.UNCHANGED, None)]
    assert hint in landing.outcomes[0].hint
    assert answer[1] in landing.outcomes[0].detail
    assert len(stage.patches) == 1
    assert ("updater_commits_total", "argocd") not in stage.counted


async def test_a_server_that_does_not_answer_a_patch_fails_the_landing(stage):
    await stage.put(helm(OLD))
    stage.server.faults.append(when(lambda _: refuse(503, "starting"), method="PATCH"))
    assert (await stage.end()).code == "kube-unavailable"
    assert len(stage.patches) == 1


async def test_what_the_cluster_changes_back_is_no_success(stage):
    await stage.put(helm(OLD, parameter("b.tag", "1.0.0")))

    async def undo(_):
        item = await stage.server.put(
            APPLICATION, "shop", "argocd", spec=helm(OLD, parameter("b.tag", "1.1.0", forceString=True))
        )
        return web.json_response(item)

    stage.server.faults.append(when(undo, method="PATCH"))
    landing = await stage.land(wanted(), wanted(Locator(path="spec.source", tag="b.tag", section="helm"), key="b"))
    assert [(outcome.status, outcome.code) for outcome in landing.outcomes] == [(Status.FAILED, "undone"), (Status.UPDATED, None)]


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"source": {"helm": "text"}}, "not-a-mapping"),
        ({"source": {"helm": []}}, "not-a-mapping"),
        ({"source": {"helm": {"parameters": "text"}}}, "not-a-list"),
        ({"source": {"helm": {"parameters": {"a": "b"}}}}, "not-a-list"),
        ({"source": {"helm": {"parameters": ["image.tag"]}}}, "not-a-mapping"),
        ({"source": {"helm": {"parameters": [None]}}}, "not-a-mapping"),
        ({"source": {"helm": {"parameters": [{"name": "image.tag", "value": ["1"]}]}}}, "not-a-scalar"),
        ({"source": {"helm": {"parameters": [OLD, OLD]}}}, "ambiguous"),
        ({"source": {"helm": {"parameters": [{}]}}}, None),
        ({"source": "text"}, "source-gone"),
        ({"source": [helm()]}, "source-gone"),
        ({"sources": helm()}, "source-gone"),
        ({"sources": [helm()["source"]]}, "source-gone"),
        ({"sourceHydrator": {"drySource": {"path": "a"}}, "source": {"path": "a"}}, "source-gone"),
        ({}, "source-gone"),
        ("text", "source-gone"),
    ],
)
async def test_a_source_of_another_shape_is_a_problem_of_its_target(stage, spec, code):
    await stage.put(spec)
    outcome = await stage.end()
    assert outcome.code == code
    assert (outcome.status, bool(outcome.hint)) == ((Status.FAILED, True) if code else (Status.UPDATED, False))


async def test_the_other_targets_of_an_application_go_on(stage):
    await stage.put({"sources": [helm(OLD)["source"], {"kustomize": {"images": [3, {"a": "b"}]}}, "text"]})
    locators = [
        Locator(path="spec.sources[1]", spec=IMAGE, section="kustomize"),
        Locator(path="spec.sources[2]", spec=IMAGE, section="kustomize"),
        Locator(path="spec.sources[3]", tag="t", section="helm"),
        Locator(path="spec.sources[0]", section="helm"),
        Locator(path="spec.sources[0]", tag="t", section="unheard-of"),
        Locator(path="spec.sources[0]", tag="image.tag", section="helm"),
    ]
    landing = await stage.land(*(wanted(locator, key=str(index)) for index, locator in enumerate(locators)))
    codes = [outcome.code for outcome in landing.outcomes]
    assert codes == ["not-a-scalar", "source-gone", "source-gone", "no-such-key", "section", None]
    assert landing.outcomes[-1].status is Status.UPDATED
    assert all(outcome.hint for outcome in landing.outcomes[:-1])


async def test_entries_that_stand_twice_are_named_by_their_position(stage):
    await stage.put(helm(OLD, parameter("x", "y"), OLD))
    assert (await stage.end()).detail == "argocd/shop/spec.source: image.tag has 2 entries in the list: [0] and [2]"


async def test_a_source_that_is_no_map_is_a_problem_of_its_target(stage):
    await stage.put({"sources": [{"path": "a"}, "text"]})
    assert (await stage.end(wanted(Locator(path="spec.sources[1]", tag="t", section="helm")))).code == "not-a-mapping"


async def test_a_form_that_a_place_cannot_hold_is_refused_and_the_others_are_written(stage):
    await stage.put(helm(OLD, parameter("b.tag", "1.0.0")))
    by_digest = wanted(form=Form.DIGEST, key="a")
    landing = await stage.land(by_digest, wanted(Locator(path="spec.source", tag="b.tag", section="helm"), key="b"), digest=SHA)
    assert [(outcome.status, outcome.code) for outcome in landing.outcomes] == [(Status.FAILED, "no-tag"), (Status.UPDATED, None)]
    assert landing.outcomes[0].detail.startswith("argocd/shop/spec.source: ")
    assert stage.source["helm"]["parameters"][0] == OLD


async def test_two_that_want_one_place_are_both_refused(stage):
    await stage.put(helm(OLD))
    landing = await stage.land(wanted(key="a"), wanted(key="b"))
    assert {outcome.code for outcome in landing.outcomes} == {"conflict"}
    assert stage.patches == []


@pytest.mark.parametrize(
    "value",
    ["a: b", "#", "'", '"', "\n", "\\", "\x00\x85\u2028", "é😀", "yes", "1e3", "0x1F", "*x", " x ", "---", "- a", "{{ x }}", ""],
)
async def test_any_text_beside_our_values_stays_to_the_letter(stage, value):
    others = [parameter(value, value, forceString=False), parameter("x", value, **{value or "y": [value, {"k": None}]})]
    await stage.put(helm(*others, OLD))
    outcome = await stage.end()
    assert (outcome.status, len(stage.patches[0])) == (Status.UPDATED, 1), outcome
    assert stage.source["helm"]["parameters"] == [*others, {**OLD, "value": "1.1.0"}]


async def test_values_that_do_not_read_back_are_refused_and_stay(stage):
    odd = parameter("x", "y", **{"<<": {"z": "1"}})
    await stage.put(helm(odd, OLD))
    outcome = await stage.end()
    assert (outcome.status, outcome.code, stage.patches) == (Status.FAILED, "unproved", [])
    assert outcome.hint


async def test_values_nested_without_end_are_refused(stage):
    nested: list = []
    for _ in range(180):
        nested = [nested]
    await stage.put({"source": {"path": "a", "helm": {"parameters": [OLD]}, "kustomize": {"images": [nested]}}})
    assert (await stage.end()).code is not None
    assert stage.patches == []


@pytest.mark.parametrize("locator", [TAG, KUSTOMIZE, PLUGIN])
async def test_a_second_landing_after_a_write_finds_nothing_to_do(stage, locator):
    await stage.put({"source": {"path": "a"}})
    assert (await stage.end(wanted(locator))).status is Status.UPDATED
    assert (await stage.end(wanted(locator))).status is Status.UNCHANGED
    assert len(stage.patches) == 1
