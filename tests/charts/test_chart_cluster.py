"""Promises of the chart and the base that only an API server can judge: objects are taken, pods restricted, rights enough."""

from __future__ import annotations

import copy

import pytest
import yaml

from tests.charts.rendering import CHART, VALUES, helm, kubectl, kustomized, objects, one, pod, template, template_of, values_file
from tests.real.cluster import start

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("charts")]

NAMESPACES = ("apps", "argocd", "flux-system", "openshift-gitops", "registries", "shop", "team-a", "team-b", "tools", "updater")
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
OPERATOR = (("ServiceMonitor", "servicemonitors"), ("PrometheusRule", "prometheusrules"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster whose namespaces refuse every pod that is not restricted, with the definitions of the Prometheus operator."""
    with start(tmp_path_factory.mktemp("charts")) as cluster:
        for name in NAMESPACES:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
            cluster.apply(f"/api/v1/namespaces/{name}", namespace)
        for kind, plural in OPERATOR:
            cluster.install("monitoring.coreos.com", kind, plural, version="v1")
        cluster.kubeconfig(cluster.folder / "admin.yaml")
        yield cluster


@pytest.fixture
def taken(cluster):
    """Give what the server says to objects: its exit code, what it would make, what it warns of."""

    def apply(items, *arguments):
        text = yaml.safe_dump_all(items)
        return kubectl(
            "--kubeconfig",
            str(cluster.folder / "admin.yaml"),
            "apply",
            *(arguments or ("--dry-run=server",)),
            "-f",
            "-",
            text=text,
        )

    return apply


@pytest.fixture
def may(cluster):
    """Ask whether the chart's ServiceAccount may do something, as (namespace, verb, resource, name)."""

    def ask(account, place, verb, resource, name=""):
        plural, _, group = resource.partition(".")
        plural, _, part = plural.partition("/")
        attributes = {"namespace": place, "verb": verb, "resource": plural, "group": group, "name": name, "subresource": part}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": f"system:serviceaccount:{account}", "resourceAttributes": attributes},
        }
        return cluster.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]

    return ask


def pod_of(found):
    """Give the pod that the Deployment would make."""
    deployment = one(found, "Deployment")
    made = copy.deepcopy(deployment["spec"]["template"])
    place = {"name": "made-of-the-template", "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**made["metadata"], **place}, "spec": made["spec"]}


@pytest.mark.parametrize("name", VALUES)
def test_the_server_takes_what_the_chart_renders(taken, name):
    """Every object is valid where it goes, and the server has nothing to warn of, restricted pods included."""
    found = template(name, namespace="tools")
    done = taken(found)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(found)


@pytest.mark.parametrize("name", VALUES)
def test_the_server_takes_the_pod(taken, name):
    """The pod itself passes the restricted standard that its namespace enforces."""
    done = taken([pod_of(template(name, namespace="tools"))])
    assert (done.returncode, done.stderr) == (0, "")


def test_the_server_refuses_a_pod_that_is_not_restricted(taken):
    """The judge of these tests judges: the same pod with a writable privilege is refused."""
    loose = pod_of(template_of(namespace="tools", securityContext={"allowPrivilegeEscalation": True}))
    done = taken([loose])
    assert done.returncode != 0
    assert 'violates PodSecurity "restricted' in done.stderr


@pytest.mark.parametrize("folder", ["base", "example", "flux"])
def test_the_server_takes_the_base(taken, folder):
    """The Kustomize base and its overlays are valid, without a warning, and their pods restricted."""
    found = objects(kustomized(folder))
    for items in (found, [pod_of(found)]):
        done = taken(items)
        assert (done.returncode, done.stderr) == (0, "")


def test_rights_of_named_namespaces_end_there(taken, may):
    """The real RBAC says: Applications of the named namespaces, Argo CD's Secrets in its own, the Lease by its name."""
    found = template("several-namespaces", namespace="tools", release="updater-named")
    account = f"tools:{pod(found)['serviceAccountName']}"
    roles = [item for item in found if item["kind"] in {"ServiceAccount", "Role", "RoleBinding"}]
    assert taken(roles, "--server-side").returncode == 0
    for place in ("argocd", "team-a", "team-b"):
        for verb in ("list", "watch", "patch"):
            assert may(account, place, verb, "applications.argoproj.io")
        assert may(account, place, "patch", "imageupdaters/status.argocd-image-updater.argoproj.io")
        assert may(account, place, "get", "secrets", "pull")
        assert may(account, place, "list", "secrets") is (place == "argocd")
    for verb in ("get", "patch"):
        assert may(account, "tools", verb, "leases.coordination.k8s.io", "teams")
        assert not may(account, "tools", verb, "leases.coordination.k8s.io", "other")
    assert may(account, "tools", "create", "leases.coordination.k8s.io")
    for place, verb, resource in (
        ("registries", "list", "applications.argoproj.io"),
        ("registries", "get", "secrets"),
        ("tools", "get", "secrets"),
        ("", "list", "applications.argoproj.io"),
        ("argocd", "delete", "applications.argoproj.io"),
        ("argocd", "delete", "imageupdaters.argocd-image-updater.argoproj.io"),
        ("argocd", "create", "events"),  # they are off in these values
        ("argocd", "patch", "secrets"),
        ("argocd", "get", "configmaps"),
    ):
        assert not may(account, place, verb, resource), (place, verb, resource)


def test_rights_in_all_namespaces_leave_secrets_unlisted(taken, may):
    """A ClusterRole reaches Applications everywhere, Secrets by their name alone, and lists them only where Argo CD is."""
    found = template("all-namespaces", namespace="tools", release="updater-all")
    account = f"tools:{pod(found)['serviceAccountName']}"
    assert taken([item for item in found if "Role" in item["kind"]], "--server-side").returncode == 0
    assert may(account, "", "watch", "applications.argoproj.io")
    assert may(account, "team-b", "create", "events")
    assert may(account, "team-b", "get", "secrets", "pull")
    assert not may(account, "team-b", "list", "secrets")
    assert may(account, "argocd", "list", "secrets")
    assert not may(account, "", "list", "secrets")
    assert not may(account, "team-b", "create", "leases.coordination.k8s.io")


def test_a_release_comes_changes_and_goes(cluster):
    """Helm installs it, upgrades it from one role to that of the cluster and back, and leaves nothing behind."""
    kubeconfig = str(cluster.folder / "admin.yaml")

    def run(verb, *arguments, name="default"):
        values = yaml.safe_load(values_file(name).read_text()) if arguments else None
        done = helm(verb, "fleet", *arguments, "--namespace", "tools", values=values, kubeconfig=kubeconfig)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def roles():
        cluster_roles = cluster.request(
            "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles?labelSelector=app.kubernetes.io%2Finstance%3Dfleet"
        )
        return [item["metadata"]["name"] for item in cluster_roles["items"]]

    run("install", str(CHART))
    assert roles() == []
    run("upgrade", str(CHART), name="all-namespaces")
    assert roles() == ["fleet-updater-tools"]
    run("upgrade", str(CHART), name="one-namespace")
    assert roles() == []
    run("uninstall")
    for path in ("/apis/apps/v1/deployments", "/apis/rbac.authorization.k8s.io/v1/roles", "/api/v1/configmaps"):
        found = cluster.request("GET", f"{path}?labelSelector=app.kubernetes.io%2Finstance%3Dfleet")
        assert found["items"] == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "It reads the Applications in argocd, and nowhere else."),
        ({"config": {"sources": [{"applications": {}}]}}, "It reads the Applications of every namespace."),
        (
            {"config": {"sources": [{"applications": {"namespaces": ["argocd", "team-*"]}}]}},
            "It reads the Applications of every namespace, and keeps those in argocd, team-*.",
        ),
        ({"config": {"sources": []}}, "it has nothing to do"),
        (
            {"config": {"sources": [{"flux": {}}]}},
            "It reads Flux's image objects in every namespace. It writes nothing for them until",
        ),
        (
            {"config": {"sources": [{"flux": {"namespaces": ["apps"], "while_flux_runs": "work"}}]}},
            "It reads Flux's image objects in apps.\n",
        ),
        ({"config": {"sources": []}, "replicas": 2}, "2 replicas run without leader election"),
        ({"rbac": {"create": False}}, "rbac.create is false"),
        ({"replicas": 0}, "No pod runs yet"),
    ],
)
def test_notes_say_what_was_installed(cluster, values, words):
    """After the install people read what is watched, what to look at, and what is doubtful."""
    arguments = ("install", "updater", str(CHART), "--dry-run=server", "--namespace", "argocd")
    done = helm(*arguments, values=values, kubeconfig=str(cluster.folder / "admin.yaml"))
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert words in notes
    assert "rollout status deployment/updater" in notes
