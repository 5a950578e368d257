"""Which workloads belong to a subscription, by what Argo CD and Flux say they applied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.objects import CANARY, DEPLOYMENT, NAME, ROLLOUT, STATEFUL_SET, merged, template
from updater.controller.objects import Sharing
from updater.delivery.finding import MOST_FOUND, FoundWorkload, GitPlace, find_workloads, sources_of
from updater.delivery.kinds import WATCHED, prune_followed
from updater.inventory.pushes import place_of
from updater.model.image import parse_name
from updater.model.release import DeliveryOptions, Workload

IMAGE = parse_name(NAME)
URL = "https://git.example.org/fleet.git"
FILE = GitPlace(URL, "main", "apps/shop/deploy.yaml")
APPLICATION, KUSTOMIZATION = Workload("Application", "argocd", "shop"), Workload("Kustomization", "flux-system", "apps")
SHOP, CACHE = Workload("Deployment", "shop", "shop"), Workload("StatefulSet", "shop", "cache")
SEARCHED = DeliveryOptions(searched=("Application", "Kustomization"))


class Cluster:
    """What is known of a cluster: objects as the watch keeps them."""

    def __init__(self, *objects, awaited=()):
        self.awaited = awaited
        self.objects = {}
        for item in objects:
            followed = WATCHED[item["kind"]]
            names = item["metadata"]
            self.objects[item["kind"], names["namespace"], names["name"]] = prune_followed(item, followed, Sharing())

    def is_awaited(self, kind, _namespace, _need=None):
        return kind in self.awaited

    def get(self, kind, namespace, name):
        return self.objects.get((kind, namespace, name))

    def readers_of(self, kind, place):
        for (other, namespace, name), item in self.objects.items():
            if other == kind and (kind == "Kustomization" or place in [place_of(each["repoURL"]) for each in sources_of(item)]):
                yield namespace, name


def named(item, name, **change):
    return merged(item, {"metadata": {"name": name}, **change})


def resource(workload):
    return {"group": "apps", "kind": workload.kind, "namespace": workload.namespace, "name": workload.name, "status": "Synced"}


def application(*workloads, **spec):
    source = {"repoURL": "git@git.example.org:fleet", "path": "apps/shop", "targetRevision": "HEAD"}
    return {
        "kind": "Application",
        "metadata": {"namespace": "argocd", "name": "shop"},
        "spec": {"source": source, "destination": {"server": "https://kubernetes.default.svc"}, **spec},
        "status": {"resources": [resource(item) for item in workloads]},
    }


def kustomization(*workloads, **spec):
    entries = [{"id": f"{item.namespace}_{item.name}_apps_{item.kind}", "v": "v1"} for item in workloads]
    return {
        "kind": "Kustomization",
        "metadata": {"namespace": "flux-system", "name": "apps"},
        "spec": {"path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "fleet"}, **spec},
        "status": {"inventory": {"entries": entries}},
    }


def git_repository(**spec):
    return {
        "kind": "GitRepository",
        "metadata": {"namespace": "flux-system", "name": "fleet"},
        "spec": {"url": "ssh://git@git.example.org/fleet", "ref": {"branch": "main"}, **spec},
    }


def helm_release(**spec):
    values = {"image": {"repository": NAME, "tag": "1.1.0"}}
    metadata = {"namespace": "shop", "name": "chart"}
    return {"kind": "HelmRelease", "metadata": metadata, "spec": {"values": values, **spec}, "status": {}}


HELM = Workload("HelmRelease", "shop", "chart")


def found(cluster, options=SEARCHED, places=(FILE,)):
    return find_workloads(IMAGE, options, cluster, places)


def test_a_named_workload_is_followed_whatever_the_cluster_says():
    assert found(Cluster(), DeliveryOptions(workload=SHOP)).found == (FoundWorkload(SHOP),)


def test_every_workload_of_an_application_that_uses_the_image_is_found_and_no_other():
    other = named(DEPLOYMENT, "proxy", spec={"template": template("envoy:1.30")})
    proxy = Workload("Deployment", "shop", "proxy")
    cluster = Cluster(application(SHOP, CACHE, proxy), DEPLOYMENT, named(STATEFUL_SET, "cache"), other)
    assert found(cluster, DeliveryOptions(agent=APPLICATION)).found == (
        FoundWorkload(SHOP, APPLICATION),
        FoundWorkload(CACHE, APPLICATION),
    )


def test_the_agent_is_found_by_the_file_that_is_written_however_its_url_is_spelled():
    flux = (kustomization(SHOP), git_repository())
    assert found(Cluster(application(SHOP), DEPLOYMENT)).found == (FoundWorkload(SHOP, APPLICATION),)
    assert found(Cluster(*flux, DEPLOYMENT)).found == (FoundWorkload(SHOP, KUSTOMIZATION),)


@pytest.mark.parametrize("count", [MOST_FOUND - 1, MOST_FOUND])
def test_applications_of_others_that_read_the_file_push_none_out(count):
    theirs = [merged(application(SHOP), {"metadata": {"namespace": "aaa", "name": f"n{number}"}}) for number in range(count)]
    everything = found(Cluster(application(SHOP), DEPLOYMENT, *theirs))
    if count < MOST_FOUND:
        assert FoundWorkload(SHOP, APPLICATION) in everything.found
    else:
        assert (everything.found, everything.is_awaited) == ((), False)
        assert "name the one that counts (delivery.application or delivery.kustomization)" in everything.reason
    by_name = found(Cluster(application(SHOP), DEPLOYMENT, *theirs), DeliveryOptions(agent=APPLICATION))
    assert by_name.found == (FoundWorkload(SHOP, APPLICATION),)


def test_more_workloads_than_are_followed_are_none_and_the_setting_is_named():
    names = [f"n{number}" for number in range(MOST_FOUND + 1)]
    deployments = [named(DEPLOYMENT, name) for name in names]
    listed = application(*(Workload("Deployment", "shop", name) for name in names))
    everything = found(Cluster(listed, *deployments))
    assert (everything.found, everything.is_awaited) == ((), False)
    assert "delivery.workload" in everything.reason


@pytest.mark.parametrize(
    "agent",
    [
        [application(SHOP, source={"repoURL": "https://git.example.org/other", "path": "apps/shop"})],
        [application(SHOP, source={"repoURL": URL, "path": "apps/sho"})],
        [application(SHOP, source={"repoURL": URL, "path": "apps/shop", "targetRevision": "release"})],
        [application(SHOP, source={"repoURL": URL, "chart": "shop"})],
        [kustomization(SHOP)],
        [kustomization(SHOP, path="./clusters"), git_repository()],
        [kustomization(SHOP), git_repository(ref={"branch": "release"})],
        [kustomization(SHOP), git_repository(url="https://git.example.org/other")],
    ],
)
def test_an_agent_that_reads_another_repository_branch_or_folder_says_nothing(agent):
    what = found(Cluster(*agent, DEPLOYMENT))
    assert what.found == ()
    assert what.reason == "no Application and no Kustomization reads the file that is written"


def test_one_of_several_sources_is_enough():
    sources = [{"repoURL": "https://charts.example.org", "chart": "shop"}, {"repoURL": URL, "path": "apps"}]
    cluster = Cluster(application(SHOP, source=None, sources=sources), DEPLOYMENT)
    assert found(cluster).workloads == (SHOP,)


def test_a_canary_and_a_rollout_stand_for_the_workload_that_they_refer_to():
    canary, rollout = Workload("Canary", "shop", "shop"), Workload("Rollout", "shop", "shop")
    assert found(Cluster(application(SHOP, canary), DEPLOYMENT, CANARY)).workloads == (canary,)
    refers = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    referring = merged(ROLLOUT, {"spec": {"template": None, "workloadRef": refers}})
    assert found(Cluster(application(SHOP, rollout), DEPLOYMENT, referring)).workloads == (rollout,)


def test_where_nothing_that_was_applied_is_known_to_use_the_image_the_agent_itself_is_followed():
    assert found(Cluster(application(SHOP)), DeliveryOptions(agent=APPLICATION)).found == (FoundWorkload(APPLICATION),)


@pytest.mark.parametrize(
    ("agent", "itself"),
    [
        ([application(SHOP, destination={"server": "https://prod.example.org"})], APPLICATION),
        ([application(SHOP, destination={"name": "prod"})], APPLICATION),
        ([kustomization(SHOP, kubeConfig={"secretRef": {"name": "prod"}}), git_repository()], KUSTOMIZATION),
    ],
)
def test_a_workload_of_the_same_name_here_says_nothing_of_another_cluster(agent, itself):
    assert found(Cluster(*agent, DEPLOYMENT)).found == (FoundWorkload(itself),)


def test_a_helm_release_that_a_kustomization_applies_counts_by_its_inventory_and_else_by_its_values():
    flux = (kustomization(HELM), git_repository())
    assert found(Cluster(*flux, helm_release())).found == (FoundWorkload(HELM),)
    listed = merged(helm_release(), {"status": {"inventory": {"entries": [{"id": "shop_shop_apps_Deployment"}]}}})
    assert found(Cluster(*flux, listed, DEPLOYMENT)).found == (FoundWorkload(SHOP, HELM),)
    other = helm_release(values={"image": "envoy:1.30"})
    assert found(Cluster(*flux, other)).found == (FoundWorkload(KUSTOMIZATION),)


def test_a_helm_release_that_lists_itself_ends():
    own = merged(helm_release(), {"status": {"inventory": {"entries": [{"id": "shop_chart_x_HelmRelease"}]}}})
    assert found(Cluster(own), DeliveryOptions(agent=HELM)).found == (FoundWorkload(HELM),)


def test_nothing_is_said_before_every_kind_was_listed():
    what = found(Cluster(application(SHOP), DEPLOYMENT, awaited={"Canary"}))
    assert what.is_awaited
    assert what.found == ()


def test_an_agent_that_is_not_there_is_named():
    assert found(Cluster(), DeliveryOptions(agent=APPLICATION)).reason == "Application argocd/shop does not exist"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["kind", "name", "path", "entries", "id", "resources", "x"]), inner)
    ),
    max_leaves=12,
)


@given(spec=ANYTHING, status=ANYTHING, kind=st.sampled_from(["Application", "Kustomization", "HelmRelease", "GitRepository"]))
def test_an_agent_with_anything_in_it_is_read_without_an_error(spec, status, kind):
    names = {"Application": "shop", "Kustomization": "apps", "HelmRelease": "chart", "GitRepository": "fleet"}
    item = {"kind": kind, "metadata": {"namespace": "flux-system", "name": names[kind]}, "spec": spec, "status": status}
    cluster = Cluster(kustomization(SHOP), item)
    found(cluster, DeliveryOptions(agent=Workload(kind, "flux-system", names[kind])) if kind != "GitRepository" else SEARCHED)
