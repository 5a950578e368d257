"""The facts about Flux's objects, under their ids: the condition that each ends in, or what it asks for.

Where the answer differs, docs/reference/differences says why.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from tests.flux.request.making import automation, latest_of, policy, render, repository, source, translate
from tests.policies.selecting import listing
from updater.flux.request.translation import FluxOptions, FluxTranslator
from updater.policies import build, build_filter
from updater.policies.choose import SelectionRequest, choose, drive

HERE = Path(__file__).parent
CASES = json.loads((HERE.parent / "cases_flux.json").read_text(encoding="utf-8"))
POLICIES = json.loads((HERE.parent.parent / "policies" / "cases_flux.json").read_text(encoding="utf-8"))
KINDS = {"semver": "semver", "name": "alphabetical", "number": "numerical"}


def objects_of(case: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Make the objects of a case, one of each kind; what a case does not name is as usual."""
    namespace = case.get("namespace", "apps")
    asked = {"repository": {"name": "app", "namespace": "apps"}, **case.get("policy", {})}
    given = {
        "repository": repository(**case.get("repository", {})),
        "policy": policy(namespace=namespace, latest=tuple(case.get("latest", ())), **asked),
        "automation": automation(**{"git": case.get("git"), **case.get("automation", {})}),
        "source": source(**case.get("source", {})),
    }
    if "automation" in case and "git" in case["automation"]:
        given["automation"]["spec"]["git"] = case["automation"]["git"]
    return [[] if kind in case.get("absent", ()) else [made] for kind, made in given.items()]


def translated(case: dict[str, Any]):
    """Translate the objects of a case, and once more what they are then."""
    translator = FluxTranslator(FluxOptions(crosses_namespaces=case.get("crosses_namespaces", True), try_template=render))
    for moment in (case, {**case, **case["then"]}) if "then" in case else (case,):
        objects = objects_of(moment)
        made = translator(*objects, case.get("namespaces", {}), latest=latest_of(objects[1]))
    return {
        "repository": next(iter(made.repositories.values()), None),
        "policy": next(iter(made.policies.values()), None),
        "automation": next(iter(made.automations.values()), None),
        "subscription": next(iter(made.subscriptions.values()), None),
        "problems": made.snapshot.problems,
    }


def plain(value: Any) -> Any:
    """Return a value as JSON has it; what JSON has not as people read it."""
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | float) else str(value)


def selection(subscription, tags):
    """Choose among tags for a place that holds nothing."""
    request = SelectionRequest(
        candidates=listing(tags),
        policy=build(subscription.policy),
        name_filter=build_filter(subscription.filter),
        current=None,
        variant=subscription.variant,
        downgrade=subscription.downgrade,
        is_shape_locked=subscription.is_shape_locked,
    )
    return drive(choose(request, None), lambda _: None)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_an_object_ends_as_in_flux(case):
    made = translated(case)
    for kind in ("repository", "policy", "automation"):
        fault = made[kind].fault if made[kind] else None
        expected = case.get("faults", {}).get(kind)
        if expected is None:
            assert fault is None
            continue
        reason, is_stalled, message = expected
        assert (fault.reason, fault.is_stalled) == (reason, is_stalled)
        assert fault.message == message or (message.endswith("*") and fnmatchcase(fault.message, message.replace("[", "[[]")))
        assert fault.problem in made["problems"]
        assert fault.problem.origin.startswith("Image")
    for path, expected in case.get("values", {}).items():
        first, *rest = path.split(".")
        assert plain(reduce(getattr, rest, made[first])) == expected, path
    assert [problem.code for problem in made["problems"]] == case["problems"] if "problems" in case else True
    if "chosen" in case:
        assert selection(made["subscription"], case["tags"]).chosen.tag == case["chosen"]
    if "passing" in case:
        assert sorted(build_filter(made["subscription"].filter).texts(case["tags"])[0]) == case["passing"]


@pytest.mark.parametrize("case", POLICIES, ids=[case["id"] for case in POLICIES])
def test_a_policy_of_an_object_chooses_as_flux_does(case):
    """A tag, null where none matches, "error" where the object stalls, "ok" where it only must not."""
    ((kind, options),) = case["policy"].items()
    tags = case.get("filter") or {}
    asked = {
        "policy": {KINDS[kind]: options or {}},
        "filterTags": {"pattern": tags["allow"], **({"extract": tags["extract"]} if "extract" in tags else {})} if tags else None,
    }
    made = translate([repository()], [policy(**asked)])
    fault = made.policies["apps", "app"].fault
    if case["expect"] == "error":
        assert (fault.reason, fault.is_stalled) == ("InvalidPolicy", True)
        return
    assert fault is None
    chosen = selection(made.subscriptions["apps", "app"], case["tags"]).chosen
    assert case["expect"] in {chosen.tag if chosen else None, "ok"}
