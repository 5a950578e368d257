"""Images of one live Application move together: to one version that all of them offer, by one patch, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from updater.engine.choose import SelectionRequest, choose, drive

from tests.argocd.live.making import SHOP, helm, parameter, parts, wanted
from tests.fakes.kube import refuse, when
from updater.engine.landing import land
from updater.errors import ConfigError
from updater.model.candidate import Candidate
from updater.model.gates import GateRules
from updater.model.outcome import Status
from updater.model.subscription import Locator
from updater.policies import build, build_filter
from updater.sources.file import load

NAMES = ("web", "api")
CONFIGURED = """\
git: {author: {name: u, email: u@example.org}}
subscriptions:
  - key: web
    image: ghcr.io/o/web
    policy: {semver: {}}
    gates: {group: one}
    targets: [{argocd: {application: argocd/shop}}]
  - key: api
    image: ghcr.io/o/api
    policy: {semver: {}}
    gates: {group: one}
    targets: [{TARGET}]
"""


def members():
    for name in NAMES:
        locator = Locator(path="spec.source", tag=f"{name}.tag", section="helm")
        yield replace(wanted(locator, key=name, image=f"ghcr.io/o/{name}"), gates=GateRules(group="argocd/shop/one"))


def says(**tags):
    return helm(*(parameter(f"{name}.tag", tag, forceString=True) for name, tag in tags.items()))


async def landed(stage, **tags):
    """Land with these tags on offer, by key."""

    async def chosen(item, written, *, needs_digest, rejected, named):
        request = SelectionRequest(
            candidates={tag: Candidate(tag=tag) for tag in tags[item.key]},
            policy=build(item.policy),
            name_filter=build_filter(item.filter),
            current=written.tag,
            rejected=rejected,
            decisions=item.decisions,
            versions=item.versions,
        )
        return drive(choose(request), lambda ask: ask.candidate)

    landing = await land(SHOP, list(members()), replace(parts(stage.writer), choose=chosen))
    return {end.key: (end.status, end.code) for end in landing.outcomes}


def written(stage):
    return {item["name"].removesuffix(".tag"): item["value"] for item in stage.source["helm"]["parameters"]}


async def test_all_wait_for_one_and_move_to_the_newest_common_version_by_one_patch(stage):
    await stage.put(says(web="1.0.0", api="1.0.0"))
    ends = await landed(stage, web=("1.0.0", "1.1.0"), api=("1.0.0",))
    assert ends == {"web": (Status.HELD, "group"), "api": (Status.UNCHANGED, None)}
    assert stage.patches == []
    ends = await landed(stage, web=("1.0.0", "1.1.0", "1.2.0"), api=("1.0.0", "1.1.0", "1.3.0"))
    assert {end[0] for end in ends.values()} == {Status.UPDATED}
    assert written(stage) == {"web": "1.1.0", "api": "1.1.0"}
    assert len(stage.patches) == 1


async def test_what_something_took_back_of_one_stops_all(stage):
    """The writer lets be what was taken back a moment ago, and the note of it on the Application is gone."""
    await stage.put(says(web="1.0.0", api="1.0.0"))
    await landed(stage, web=("1.1.0",), api=("1.1.0",))
    await stage.put(says(web="1.0.0", api="1.0.5"), metadata={"annotations": {}})
    ends = await landed(stage, web=("1.1.0",), api=("1.1.0",))
    assert ends == {"web": (Status.FAILED, "undone"), "api": (Status.HELD, "group")}
    assert written(stage) == {"web": "1.0.0", "api": "1.0.5"}
    assert len(stage.patches) == 1


@pytest.mark.parametrize("answer", [(403, 'applications "shop" is forbidden: cannot patch resource'), (422, "invalid")])
async def test_a_patch_that_is_refused_moves_nobody_and_the_next_pass_moves_all(stage, answer):
    await stage.put(says(web="1.0.0", api="1.0.0"))
    fault = when(lambda _: refuse(*answer), method="PATCH")
    stage.server.faults.append(fault)
    ends = await landed(stage, web=("1.1.0",), api=("1.1.0",))
    assert {end[0] for end in ends.values()} == {Status.FAILED}
    assert written(stage) == {"web": "1.0.0", "api": "1.0.0"}
    stage.server.faults.remove(fault)
    ends = await landed(stage, web=("1.1.0",), api=("1.1.0",))
    assert written(stage) == {"web": "1.1.0", "api": "1.1.0"}


async def test_a_parameter_that_cannot_be_edited_stops_all(stage):
    broken = helm(parameter("web.tag", "1.0.0"), parameter("api.tag", "1.0.0"), parameter("api.tag", "1.0.0"))
    await stage.put(broken)
    ends = await landed(stage, web=("1.1.0",), api=("1.1.0",))
    assert ends["web"] == (Status.HELD, "group")
    assert ends["api"][0] is Status.FAILED
    assert stage.patches == []


def test_subscriptions_of_one_live_application_are_taken_and_of_two_or_of_git_too_are_refused(tmp_path):
    path = tmp_path / "updater.yaml"
    path.write_text(CONFIGURED.replace("TARGET", "argocd: {application: argocd/shop}"))
    assert [item.gates.group for item in load([path], {}).snapshot.subscriptions] == ["one", "one"]
    for other in ("argocd: {application: argocd/other}", 'git: {url: "https://git.test/f"}, marker: "a:b"'):
        path.write_text(CONFIGURED.replace("TARGET", other))
        with pytest.raises(ConfigError) as refused:
            load([path], {})
        assert [problem.code for problem in refused.value.problems] == ["group"]
        assert "do not write the same Application" in refused.value.problems[0].message
        assert "Git" in refused.value.problems[0].hint
