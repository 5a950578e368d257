"""Promises of what is kept of objects: all that translation reads, nothing that churns, and nothing in an object breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.argocd.request.making import OWN, PREFIX, application, image, reference, updater
from updater.argocd.cluster.pruning import prune_application
from updater.argocd.request import TranslationDefaults, Translator, translate
from updater.argocd.request.applications import read_application
from updater.controller.objects import KeptObject, Sharing, keep_object

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["", "web=ghcr.io/o/web:^1", "ghcr.io/o/web:1.0.0", "main", "Kustomize", "true", "git", "web-*", "x" * 300]
)
ANY = JSON | WORDS


def shaped(**fields):
    """A mapping of some of *fields*, each as it should be or of any type."""
    return st.fixed_dictionaries({}, optional={name: ANY | value for name, value in fields.items()})


SOURCE = shaped(repoURL=WORDS, path=WORDS, targetRevision=WORDS, chart=WORDS, helm=JSON, kustomize=shaped(), plugin=JSON)
SPEC = shaped(
    source=SOURCE, sources=st.lists(ANY | SOURCE, max_size=3), sourceHydrator=shaped(drySource=SOURCE), destination=JSON
)
STATUS = shaped(
    sourceType=WORDS, sourceTypes=st.lists(ANY, max_size=3), summary=shaped(images=st.lists(ANY, max_size=3)), sync=JSON
)
ANNOTATIONS = st.dictionaries(
    st.sampled_from([f"{PREFIX}image-list", f"{PREFIX}web.force-update", f"{PREFIX}typo", f"{OWN}variant", "other"]), ANY
)
LABELS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
OWNERS = st.lists(ANY | shaped(kind=st.just("ApplicationSet"), name=WORDS), max_size=2)
METADATA = st.fixed_dictionaries(
    {"name": st.just("web"), "namespace": st.just("argocd")},
    optional={
        "labels": st.none() | LABELS,
        "annotations": ANY | ANNOTATIONS,
        "ownerReferences": ANY | OWNERS,
        "uid": ANY,
        "generation": ANY,
        "resourceVersion": ANY,
        "managedFields": JSON,
    },
)
APPLICATIONS = st.fixed_dictionaries({"metadata": METADATA}, optional={"spec": ANY | SPEC, "status": ANY | STATUS})
IMAGE = shaped(alias=WORDS, imageName=WORDS, commonUpdateSettings=JSON, manifestTargets=shaped(helm=JSON, kustomize=JSON))
REFERENCE = shaped(namePattern=WORDS, labelSelectors=JSON, useAnnotations=ANY, images=st.lists(ANY | IMAGE, max_size=2))
UPDATERS = st.fixed_dictionaries(
    {"metadata": METADATA},
    optional={"spec": ANY | shaped(applicationRefs=st.lists(ANY | REFERENCE, max_size=2), typo=JSON), "status": ANY},
)


@settings(deadline=None)
@given(APPLICATIONS)
def test_what_is_kept_reads_as_the_whole(item):
    kept = prune_application(item, Sharing())
    whole, again = read_application(item), read_application(kept)
    fields = ("namespace", "name", "labels", "sources", "types", "live", "owner")
    assert [getattr(again, name) for name in fields] == [getattr(whole, name) for name in fields]
    ours = {key: value for key, value in whole.annotations.items() if key.startswith((PREFIX, OWN))}
    assert again.annotations == ours


@settings(max_examples=60, deadline=None)
@given(st.lists(APPLICATIONS, max_size=2), UPDATERS)
def test_no_object_breaks_what_is_kept_or_translated(applications, image_updater):
    sharing = Sharing()
    kept = keep_object(image_updater, sharing)
    translate([prune_application(item, sharing) for item in applications], [kept.item], defaults=TranslationDefaults())
    assert isinstance(kept, KeptObject)


def whole_application(**status):
    item = application({"image-list": "web=ghcr.io/o/web:^1"}, labels={"team": "a"}, version="7")
    item["metadata"] |= {"managedFields": [{"manager": "argocd"}], "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z"}
    item["metadata"]["annotations"] |= {"kubectl.kubernetes.io/last-applied-configuration": "x" * 1_000_000}
    item["spec"] |= {"destination": {"namespace": "web"}}
    item["status"] |= {"sync": {"status": "Synced"}, **status}
    return item


def test_a_status_that_churns_is_no_change():
    sharing = Sharing()
    before = prune_application(whole_application(), sharing)
    churned = whole_application(reconciledAt="2026-01-01T00:00:00Z", health={"status": "Degraded"}, resources=[{}], history=[{}])
    churned["metadata"] |= {"resourceVersion": "8", "generation": 4}
    assert prune_application(churned, sharing) == before


@pytest.mark.parametrize("change", [{"sourceType": "Helm"}, {"summary": {"images": ["ghcr.io/o/web:1.1.0"]}}])
def test_what_runs_and_as_what_is_a_change(change):
    sharing = Sharing()
    assert prune_application(whole_application(), sharing) != prune_application(whole_application(**change), sharing)


def test_what_is_kept_is_small():
    kept = prune_application(whole_application(), Sharing())
    assert len(str(kept)) < 600
    assert set(kept["metadata"]) == {"namespace", "name", "uid", "creationTimestamp", "labels", "annotations"}


def test_texts_that_repeat_are_one_object():
    sharing, two = Sharing(), ["git.test", "git.test"]
    first, second = (prune_application(application(source={"repoURL": f"https://{host}"}), sharing) for host in two)
    assert first["spec"]["source"]["repoURL"] is second["spec"]["source"]["repoURL"]
    assert sharing.text("y" * 300) == "y" * 300


def test_what_nests_without_end_is_cut():
    deep: dict = {}
    inner = deep
    for _ in range(900):
        inner["a"] = inner = {}
    item = updater(reference("*", image()))
    item["spec"]["deep"] = deep
    kept = keep_object(item, Sharing())
    assert kept == keep_object(item, Sharing())
    (finding,) = translate([], [kept.item]).findings
    assert finding.flaw.code == "unknown-key"


def test_an_own_status_leaves_what_is_translated_as_it_is():
    sharing = Sharing()
    item = updater(reference("*", image()), version="7")
    before = keep_object(item, sharing)
    after = keep_object(
        {**item, "status": {"applicationsMatched": 1}} | {"metadata": {**item["metadata"], "resourceVersion": "8"}}, sharing
    )
    assert (before == after, before.item == after.item, after.version) == (False, True, "8")
    translator = Translator(TranslationDefaults())
    assert translator([], [before.item]) is translator([], [before.item])
