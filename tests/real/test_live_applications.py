"""Promises of the writer of live Applications, kept against a real kube-apiserver: the version guard, rights, policies."""

from __future__ import annotations

import asyncio
import copy
import urllib.error

import pytest

from tests.argocd.live.making import IMAGE, helm, parameter, parts, wanted
from tests.real.cluster import start
from updater.argocd.live.writer import APPLICATION, ApplicationWriter
from updater.engine.landing import land
from updater.http.client import HttpClient
from updater.kube.access import AccessEnvironment, find_access
from updater.kube.client import PATIENCE, KubeClient
from updater.model.outcome import Status
from updater.model.subscription import WRITTEN_SOURCE, LiveApplication, Locator

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("kube")]

LEAST = [{"apiGroups": [APPLICATION.group], "resources": [APPLICATION.plural], "verbs": ["get", "patch"]}]
OLD = parameter("image.tag", "1.0.0")
FROZEN = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "frozen"},
    "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [APPLICATION.group],
                    "apiVersions": ["*"],
                    "operations": ["UPDATE"],
                    "resources": [APPLICATION.plural],
                }
            ]
        },
        "validations": [{"expression": "!('frozen' in object.metadata.labels)", "message": "this one is frozen"}],
        "matchConditions": [{"name": "labelled", "expression": "has(object.metadata.labels)"}],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "frozen"},
    "spec": {"policyName": "frozen", "validationActions": ["Deny"]},
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.install(APPLICATION.group, APPLICATION.name, APPLICATION.plural, version=APPLICATION.version, has_status=False)
        cluster.namespace("argocd")
        yield cluster


class Lab:
    """One Application of the test's own, seen as the admin sees it."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.place = LiveApplication(namespace="argocd", name=name)
        self.path = f"{APPLICATION.path('argocd')}/{name}"

    def put(self, spec, **content):
        metadata = {"name": self.place.name, "namespace": "argocd", **content.pop("metadata", {})}
        body = {"apiVersion": APPLICATION.api_version, "kind": "Application", "metadata": metadata, "spec": spec, **content}
        return self.cluster.apply(self.path, body)

    def read(self):
        return self.cluster.request("GET", self.path)

    def patch(self, change):
        return self.cluster.request("PATCH", self.path, change, form="application/merge-patch+json")

    def refuses(self, change):
        """The status with which a patch is refused, 0 where it is taken."""
        try:
            self.patch(change)
        except urllib.error.HTTPError as refused:
            return refused.code
        return 0

    def wanted(self, locator=None, **more):
        locator = locator or Locator(path="spec.source", tag="image.tag", section="helm")
        return wanted(locator, application=self.place, **more)


@pytest.fixture
def lab(cluster, request):
    name = "".join(char if char.isalnum() else "-" for char in request.node.name).lower()[:50].strip("-")
    return Lab(cluster, name)


@pytest.fixture
async def writer(cluster, tmp_path):
    """A writer with no more rights than it needs."""
    token = cluster.service_account("argocd", "writer", LEAST)
    access = find_access(
        cluster.kubeconfig(tmp_path / "kubeconfig", {"token": token}),
        surroundings=AccessEnvironment(environment={}, home=tmp_path),
    )
    async with HttpClient(patience=PATIENCE) as http:
        yield ApplicationWriter(KubeClient(access, http))


async def landed(lab, writer, *items, tag="1.1.0"):
    return (await land(lab.place, items or (lab.wanted(),), parts(writer, tag))).outcomes


async def test_only_our_values_change_and_the_right_to_get_and_patch_is_enough(lab, writer):
    spec = helm(parameter("other", "1"), OLD)
    spec["source"]["helm"] |= {"values": "a: 1\n", "valuesObject": {"image": {"tag": "0"}}}
    lab.put(spec, status={"sourceType": "Helm", "health": {"status": "Healthy"}}, metadata={"labels": {"a": "b"}})
    before = lab.read()
    (outcome,) = await landed(lab, writer, tag="1.20")
    after = lab.read()
    assert (outcome.status, outcome.revision) == (Status.UPDATED, after["metadata"]["resourceVersion"])
    expected = copy.deepcopy(before["spec"])
    expected["source"]["helm"]["parameters"][1] |= {"value": "1.20", "forceString": True}
    assert (after["spec"], after["status"], after["metadata"]["labels"]) == (expected, before["status"], {"a": "b"})
    (again,) = await landed(lab, writer, tag="1.20")
    assert again.status is Status.UNCHANGED
    assert lab.read()["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


async def test_missing_objects_are_made_in_every_section_by_one_patch(lab, writer):
    lab.put(
        {"sources": [{"path": "a"}, {"path": "b", "kustomize": {"namePrefix": "p-"}}, {"path": "c", "plugin": {"name": "x"}}]}
    )
    items = [
        lab.wanted(Locator(path="spec.sources[0]", name="image.name", tag="image.tag", section="helm"), key="a", author="one"),
        lab.wanted(Locator(path="spec.sources[1]", spec=IMAGE, section="kustomize"), key="b", author="two"),
        lab.wanted(Locator(path="spec.sources[2]", tag="TAG", section="plugin"), key="c", author="two"),
    ]
    outcomes = await landed(lab, writer, *items)
    assert [outcome.status for outcome in outcomes] == [Status.UPDATED] * 3
    assert len({outcome.revision for outcome in outcomes}) == 1
    assert lab.read()["spec"]["sources"] == [
        {
            "path": "a",
            "helm": {
                "parameters": [
                    parameter("image.name", IMAGE, forceString=True),
                    parameter("image.tag", "1.1.0", forceString=True),
                ]
            },
        },
        {"path": "b", "kustomize": {"namePrefix": "p-", "images": [f"{IMAGE}:1.1.0"]}},
        {"path": "c", "plugin": {"name": "x", "env": [parameter("TAG", "1.1.0")]}},
    ]


async def test_the_type_that_argo_cd_found_decides_for_a_target_of_a_file(lab, writer):
    lab.put({"source": {"path": "a"}}, status={"sourceType": "Kustomize"})
    (outcome,) = await landed(lab, writer, lab.wanted(Locator(path=WRITTEN_SOURCE, spec=IMAGE)))
    assert outcome.status is Status.UPDATED
    assert lab.read()["spec"]["source"]["kustomize"] == {"images": [f"{IMAGE}:1.1.0"]}


async def test_a_busy_status_neither_starves_a_write_nor_is_overwritten(lab, writer):
    """Each write of the status is a new version, since the definition has no subresource for it."""
    lab.put(helm(OLD))
    beats = 0

    async def churn():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.to_thread(lab.patch, {"status": {"beat": beats}})

    task = asyncio.create_task(churn())
    try:
        for number in range(1, 9):
            (outcome,) = await landed(lab, writer, tag=f"1.{number}.0")
            assert outcome.status is Status.UPDATED
            assert outcome.changes[0].new == f"1.{number}.0"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    found = lab.read()
    assert found["spec"]["source"]["helm"]["parameters"] == [parameter("image.tag", "1.8.0", forceString=True)]
    assert found["status"]["beat"] >= beats - 1


async def test_a_pin_between_look_and_write_stays_until_it_is_decided_again(lab, writer):
    lab.put(helm(OLD))
    seen = []
    components = parts(writer)

    async def choose(item, written, *, needs_digest, rejected, named):
        seen.append(written.tag)
        if len(seen) == 1:
            lab.patch({"spec": helm(parameter("image.tag", "0.9.0"))})
        return await components.choose(item, written, needs_digest=needs_digest, rejected=rejected, named=named)

    landing = await land(lab.place, (lab.wanted(),), type(components)(writer=writer, choose=choose, pause=components.pause))
    assert (seen, landing.replays, landing.outcomes[0].detail) == (["1.0.0", "0.9.0"], 1, "0.9.0 → 1.1.0")


async def test_an_application_that_is_deleted_and_one_that_never_was_are_said(lab, writer):
    (outcome,) = await landed(lab, writer)
    assert (outcome.status, outcome.code) == (Status.FAILED, "application-gone")
    lab.put(helm(OLD), metadata={"finalizers": ["lab.example/wait"]})
    lab.cluster.request("DELETE", lab.path)
    (outcome,) = await landed(lab, writer)
    assert outcome.code == "application-gone"
    lab.patch({"metadata": {"finalizers": None}})
    with pytest.raises(urllib.error.HTTPError):
        lab.read()


async def test_what_an_applicationset_made_is_not_written(lab, writer):
    owner = {"apiVersion": APPLICATION.api_version, "kind": "ApplicationSet", "name": "fleet", "uid": "1"}
    version = lab.put(helm(OLD), metadata={"ownerReferences": [owner]})["metadata"]["resourceVersion"]
    (outcome,) = await landed(lab, writer)
    assert (outcome.code, lab.read()["metadata"]["resourceVersion"]) == ("application-set", version)


async def test_a_missing_right_and_a_policy_are_told_apart_and_not_tried_again(lab, cluster, writer, tmp_path):
    registration = "/apis/admissionregistration.k8s.io/v1"
    cluster.apply(f"{registration}/validatingadmissionpolicies/frozen", FROZEN)
    cluster.apply(f"{registration}/validatingadmissionpolicybindings/frozen", BINDING)
    lab.put(helm(OLD), metadata={"labels": {"frozen": "yes"}})
    for beat in range(100):  # a policy comes into force a moment after it was made
        if lab.refuses({"status": {"beat": beat}}) == 422:
            break
        await asyncio.sleep(0.1)
    (outcome,) = await landed(lab, writer)
    assert (outcome.status, outcome.code) == (Status.FAILED, "admission")
    assert "this one is frozen" in outcome.detail
    cluster.request("DELETE", f"{registration}/validatingadmissionpolicybindings/frozen")
    token = cluster.service_account("argocd", "reader", [{**LEAST[0], "verbs": ["get"]}])
    access = find_access(
        cluster.kubeconfig(tmp_path / "reader", {"token": token}), surroundings=AccessEnvironment(environment={}, home=tmp_path)
    )
    async with HttpClient(patience=PATIENCE) as http:
        (outcome,) = await landed(lab, ApplicationWriter(KubeClient(access, http)))
    assert (outcome.code, "grant patch on applications.argoproj.io in argocd" in outcome.hint) == ("kube-denied", True)
    assert lab.read()["spec"]["source"]["helm"]["parameters"] == [OLD]
