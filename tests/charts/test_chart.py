"""Promises of the chart: what it renders, what it refuses, and that its configuration is one that the program takes."""

from __future__ import annotations

import json
import re
import tarfile
import tomllib

import pytest
import yaml

from tests.charts.rendering import (
    CHART,
    ROOT,
    VALUES,
    container,
    helm,
    kinds,
    one,
    pod,
    refusal,
    rendered,
    rights,
    rules,
    template,
    template_of,
    values_file,
)
from updater.settings import schema
from updater.sources.file import load

pytestmark = pytest.mark.real

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}
SOURCE = {"namespaces": ["apps"], "argocd_namespace": "argocd"}


def applications(**said):
    return {"sources": [{"applications": {**SOURCE, **said}}]}


def configuration(found):
    return yaml.safe_load(one(found, "ConfigMap")["data"]["updater.yaml"])


@pytest.mark.parametrize("name", VALUES)
def test_every_file_of_values_is_linted_without_a_warning(name):
    """`helm lint --strict` finds nothing in the chart with each file of values in ci/."""
    done = helm("lint", "--strict", str(CHART), "--values", str(values_file(name)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", VALUES)
def test_every_object_of_a_namespace_names_it(name):
    """Whoever applies what `helm template` printed needs no -n: each object says where it belongs, labels and all."""
    found = template(name, namespace="tools")
    assert [
        item["metadata"]["name"] for item in found if item["kind"] not in CLUSTER_WIDE and not item["metadata"].get("namespace")
    ] == []
    elsewhere = {item["kind"] for item in found if item["metadata"].get("namespace", "tools") != "tools"}
    assert elsewhere <= {"Role", "RoleBinding"}
    for item in found:
        assert {"app.kubernetes.io/name", "app.kubernetes.io/instance", "helm.sh/chart"} <= set(item["metadata"]["labels"])


@pytest.mark.parametrize("name", VALUES)
def test_no_two_objects_have_one_name(name):
    """Kind, namespace and name are unique, so that no object overwrites another."""
    keys = [(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in template(name)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", VALUES)
def test_the_configuration_is_one_that_the_program_takes(name, tmp_path):
    """What stands in the ConfigMap loads without a problem, with the port and the folder that the pod has."""
    found = template(name)
    (data,) = (item["data"] for item in found if item["kind"] == "ConfigMap" and "updater.yaml" in item["data"])
    file = tmp_path / "updater.yaml"
    file.write_text(data["updater.yaml"])
    loaded = load([file], {})
    mounts = {mount["name"]: mount["mountPath"] for mount in container(found)["volumeMounts"]}
    assert loaded.settings.state == mounts["state"]
    assert loaded.settings.listen.metrics.port == container(found)["ports"][0]["containerPort"]
    assert [problem.code for problem in loaded.snapshot.problems] == []
    assert container(found)["args"] == ["run", "-c", f"{mounts['config']}/updater.yaml"]


def test_nothing_is_rendered_that_was_not_asked_for():
    """By default there is a Deployment, its configuration, who it is, what it may do, and a Service."""
    assert kinds(template()) == {"ConfigMap", "Deployment", "Role", "RoleBinding", "Service", "ServiceAccount"}


def test_everything_may_be_turned_on():
    """All templates have a file of values in ci/ that renders them."""
    seen = set().union(
        *(
            re.findall(r"^# Source: updater/templates/(\S+)$", rendered(values_file(name).read_text()), re.MULTILINE)
            for name in VALUES
        )
    )
    written = {path.name for path in (CHART / "templates").glob("*.yaml")}
    assert written - seen == set()


@pytest.mark.parametrize("name", VALUES)
def test_the_pod_is_restricted(name):
    """No root, no privileges to gain, no capability, a read-only root, and folders to write to only where they are needed."""
    found = template(name)
    assert pod(found)["securityContext"]["runAsNonRoot"] is True
    assert pod(found)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(found)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in container(found)["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/updater", "/tmp"}


def test_the_user_is_the_one_of_the_image():
    """The user of the pod owns the state in the image; where the platform chooses it, none is named."""
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    context = pod(template())["securityContext"]
    assert user
    assert [str(context[key]) for key in ("runAsUser", "runAsGroup", "fsGroup")] == [user[1], user[2], user[2]]
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod(template("one-namespace"))["securityContext"])


def test_a_changed_configuration_starts_no_pod_anew():
    """The pod is the same whatever subscriptions say: the program takes up a changed file, and an invalid one harms nothing."""
    before = template_of(config={"interval": "2m"})
    after = template_of(config={"interval": "9m"})
    assert configuration(before) != configuration(after)
    assert one(before, "Deployment") == one(after, "Deployment")
    assert not [mount for mount in container(before)["volumeMounts"] if "subPath" in mount]


def test_values_of_the_configuration_are_merged_with_the_defaults():
    """Who sets one key keeps the others; a list replaces a list."""
    found = configuration(template_of(config={"interval": "9m", "sources": []}))
    assert found["interval"] == "9m"
    assert found["state"] == "/var/lib/updater"
    assert found["sources"] == []


def test_two_releases_have_two_leases():
    """Two releases in one namespace do not wait for each other; a Lease that is named holds."""
    first, second = (template(release=name) for name in ("updater-a", "updater-b"))
    assert [configuration(found)["kubernetes"]["lease"] for found in (first, second)] == ["updater-a", "updater-b"]
    assert ("argocd", "patch", "leases", "updater-a") in rights(first)
    named = template_of(config={"kubernetes": {"lease": "teams", "namespace": "leases"}})
    assert ("leases", "patch", "leases", "teams") in rights(named)


def test_releases_of_one_name_do_not_meet_in_a_third_namespace():
    """Roles outside the release's namespace, and those of the cluster, name it."""
    first, second = (template("several-namespaces", namespace=name) for name in ("blue", "green"))
    outside = [
        {(i["kind"], i["metadata"]["namespace"], i["metadata"]["name"]) for i in found if i["kind"] == "Role"}
        for found in (first, second)
    ]
    assert not outside[0] & outside[1]
    names = {one(template("all-namespaces", namespace=name), "ClusterRole")["metadata"]["name"] for name in ("blue", "green")}
    assert len(names) == 2


# rights


def test_one_namespace_is_one_role():
    """Applications of one namespace need nothing outside it."""
    assert set(rules(template())) == {"argocd"}


def test_named_namespaces_are_roles_in_each():
    """The Secrets of Argo CD stay a matter of its namespace, and the Lease one of the release's."""
    found = template("several-namespaces", namespace="tools")
    assert set(rules(found)) == {"argocd", "team-a", "team-b", "tools"}
    assert {place for place, verb, resource, _ in rights(found) if (verb, resource) == ("list", "secrets")} == {"argocd"}
    assert {place for place, verb, resource, _ in rights(found) if (verb, resource) == ("watch", "applications")} == {
        "argocd",
        "team-a",
        "team-b",
    }
    assert {place for place, _, resource, _ in rights(found) if resource == "leases"} == {"tools"}


FOLLOWED = {"daemonsets", "deployments", "statefulsets", "rollouts", "canaries", "replicasets"}


@pytest.mark.parametrize("namespaces", [[], ["argocd", "team-*"], ["team-?"], ["team-[ab]"], ["team-\\a"]])
def test_all_namespaces_and_globs_are_a_role_of_the_cluster(namespaces):
    """No rule can say a glob; only what is done to Applications, and what they applied, reaches beyond a namespace."""
    found = template_of(config=applications(namespaces=namespaces))
    assert "*" in rules(found)
    assert {resource for place, _, resource, _ in rights(found) if place == "*"} == {
        "applications",
        "imageupdaters",
        "imageupdaters/status",
        "events",
        "secrets",
        *FOLLOWED,
    }
    assert ("*", "list", "secrets", "*") not in rights(found)


def test_what_runs_the_images_can_only_be_read_and_only_where_releases_are_followed():
    found = {(verb, resource) for _, verb, resource, _ in rights(template_of(config=applications())) if resource in FOLLOWED}
    assert found == {(verb, resource) for resource in FOLLOWED - {"replicasets"} for verb in ("list", "watch")} | {
        ("list", "replicasets")
    }
    silent = rights(template_of(config={**applications(), "delivery": None}))
    assert not {resource for _, _, resource, _ in silent} & FOLLOWED


def test_a_delivery_that_finds_its_workload_may_look_for_it_in_every_namespace():
    target = {"git": {"url": "https://git.example.org/fleet.git"}, "marker": "ns:shop"}
    shop = {"key": "shop", "image": "ghcr.io/acme/shop", "policy": {"latest": {}}, "delivery": {}, "targets": [target]}
    found = {
        (verb, resource) for place, verb, resource, _ in rights(template_of(config={"sources": [], "subscriptions": [shop]}))
    }
    agents = {"applications", "kustomizations", "helmreleases", "gitrepositories"}
    watched = {(verb, resource) for resource in (FOLLOWED | agents) - {"replicasets"} for verb in ("list", "watch")}
    assert found == watched | {("list", "replicasets"), ("create", "events"), ("patch", "events")}


def test_no_source_needs_no_right():
    """Subscriptions of the file alone give no right at all, not even to a Lease."""
    assert rules(template_of(config={"sources": []})) == {}


def test_secrets_that_the_configuration_names_can_be_read_by_their_name_alone():
    """`secret:` and `pullsecret:` of updater.yaml grant that one Secret, where nothing else grants it."""
    named = {("registries", "get", "secrets", "ghcr"), ("registries", "get", "secrets", "quay")}
    assert named <= rights(template("globs"))
    assert ("updater", "get", "secrets", "git") in rights(template("without-cluster"))
    registries = [{"prefix": "ghcr.io", "credentials": "secret:apps/ghcr#auth"}]
    covered = template_of(config={**applications(), "registries": registries})
    assert ("apps", "get", "secrets", "ghcr") not in rights(covered)
    assert ("apps", "get", "secrets", "*") in rights(covered)


def test_the_config_map_of_decisions_can_be_read_by_its_name_alone():
    """`holds: configmap:` of updater.yaml grants reading that one ConfigMap, and writing none."""
    found = rights(template_of(config={"sources": [], "holds": "configmap:team/holds"}))
    assert found == {("team", "get", "configmaps", "holds")}


def test_the_config_map_of_decisions_can_be_written_where_people_act_at_the_page():
    """`web.roles.act` grants writing the one ConfigMap of `holds`, and making it."""
    web = {"users": "file:/run/secrets/htpasswd", "roles": {"act": ["jane"]}}
    config = {"sources": [], "listen": {"web": "0.0.0.0:8090"}, "holds": "configmap:team/holds", "web": web}
    found = rights(template_of(config=config))
    assert found == {("team", verb, "configmaps", "holds") for verb in ("get", "patch")} | {("team", "create", "configmaps", "*")}
    read_only = rights(template_of(config={**config, "web": {**web, "roles": {"view": ["*"]}}}))
    assert read_only == {("team", "get", "configmaps", "holds")}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_the_config_map_of_decisions_can_be_written_where_everybody_acts_on_loopback(host):
    """Without users whoever forwards a port may act; with users or a proxy `web.roles.act` says who may."""
    config = {"sources": [], "listen": {"web": f"{host}:8090"}, "holds": "configmap:team/holds"}
    found = rights(template_of(config=config))
    assert found == {("team", verb, "configmaps", "holds") for verb in ("get", "patch")} | {("team", "create", "configmaps", "*")}
    proxies = {"header": None, "from": ["127.0.0.1"]}
    read_only = {("team", "get", "configmaps", "holds")}
    for web in ({"users": "file:/run/secrets/htpasswd"}, {"trusted_proxies": proxies}):
        assert rights(template_of(config={**config, "web": web})) == read_only
    assert rights(template_of(config={**config, "listen": {"web": "0.0.0.0:8090"}})) == read_only


def test_live_applications_that_the_configuration_names_can_be_written_by_their_name_alone():
    """An argocd: target of updater.yaml grants that one Application, where nothing else grants it."""
    live = {("argocd", verb, "applications", "shop") for verb in ("get", "patch")}
    assert {right for right in rights(template("without-cluster")) if right[2] == "applications"} == live
    target = {"argocd": {"application": "apps/shop"}}
    shop = {"key": "shop", "image": "ghcr.io/acme/shop", "policy": {"latest": {}}, "targets": [target]}
    config = {**applications(), "subscriptions": [shop]}
    assert ("apps", "patch", "applications", "shop") not in rights(template_of(config=config))
    assert ("apps", "patch", "applications", "shop") in rights(template_of(config=config, rbac={"argocdMethod": False}))


@pytest.mark.parametrize(
    ("values", "gone"),
    [
        (
            {"config": applications(refresh=False), "rbac": {"argocdMethod": False}},
            {("apps", verb, "applications", "*") for verb in ("get", "patch")},
        ),
        ({"config": applications(events=False)}, {("apps", "create", "events", "*"), ("apps", "patch", "events", "*")}),
        ({"config": applications(), "rbac": {"pullSecrets": False}}, {("apps", "get", "secrets", "*")}),
        (
            {"config": applications(), "rbac": {"repositorySecrets": False}},
            {
                ("argocd", "list", "secrets", "*"),
                ("argocd", "get", "configmaps", "argocd-ssh-known-hosts-cm"),
                ("argocd", "get", "configmaps", "argocd-tls-certs-cm"),
            },
        ),
        ({"config": applications(config_map=None)}, {("argocd", "get", "configmaps", "argocd-image-updater-config")}),
        (
            {"config": {**applications(), "kubernetes": {"leader_election": False}}},
            {("argocd", verb, "leases", name) for verb, name in (("create", "*"), ("get", "updater"), ("patch", "updater"))},
        ),
    ],
)
def test_what_is_off_needs_no_right(values, gone):
    """Each part that is turned off takes exactly its rights with it."""
    assert rights(template_of(config=applications())) - rights(template_of(**values)) == gone


@pytest.mark.parametrize(
    "values", [{"config": applications(refresh=False)}, {"config": applications(), "rbac": {"argocdMethod": False}}]
)
def test_applications_are_patched_for_a_refresh_and_by_the_argocd_method(values):
    """Either one is reason enough to patch them."""
    assert ("apps", "patch", "applications", "*") in rights(template_of(**values))


def test_no_rule_says_everything():
    """No group, resource or verb is a star, and nothing is deleted."""
    for name in VALUES:
        for listed in rules(template(name)).values():
            for rule in listed:
                assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
                assert not {"delete", "deletecollection", "update", "impersonate", "escalate", "bind"} & set(rule["verbs"])


def test_people_may_bring_their_own_rights():
    """rbac.create: false makes no role; the ServiceAccount may be one that is there."""
    found = template_of(rbac={"create": False}, serviceAccount={"create": False, "name": "own"})
    assert kinds(found) == {"ConfigMap", "Deployment", "Service"}
    assert pod(found)["serviceAccountName"] == "own"


def test_defaults_of_the_source_are_those_of_the_program():
    """Rights follow what the program does where the values say nothing: refresh, Events, the ConfigMap, the election."""
    tree = schema()["$defs"]
    said = {name: rule["default"] for name, rule in tree["ApplicationsSettings"]["properties"].items()}
    election = {name: tree["KubernetesSettings"]["properties"][name]["default"] for name in ("leader_election", "namespace")}
    spelled_out = rights(template_of(config={"sources": [{"applications": said}], "kubernetes": election}))
    assert rights(template_of(config={"sources": [{"applications": {}}]})) == spelled_out
    assert rights(template_of(config={"sources": [{"applications": None}]})) == spelled_out


# state and replicas


def test_the_state_is_an_empty_folder_with_a_bound():
    """Without persistence nothing is claimed, and a pod cannot fill its node."""
    (state,) = (volume for volume in pod(template())["volumes"] if volume["name"] == "state")
    assert state == {"name": "state", "emptyDir": {"sizeLimit": "2Gi"}}
    assert one(template(), "Deployment")["spec"]["strategy"]["type"] == "RollingUpdate"


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_claim_is_handed_from_pod_to_pod(replicas):
    """With one replica the claim outlives the pod, also while it is scaled to none, and no two pods ever mount it."""
    found = template_of(persistence={"enabled": True, "storageClass": "fast", "size": "5Gi"}, replicas=replicas)
    assert one(found, "PersistentVolumeClaim")["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "5Gi"}},
    }
    assert {"name": "state", "persistentVolumeClaim": {"claimName": "updater"}} in pod(found)["volumes"]
    assert one(found, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_a_claim_that_is_there_is_used():
    """Where one is named, none is made."""
    found = template("without-cluster")
    assert "PersistentVolumeClaim" not in kinds(found)
    assert {"name": "state", "persistentVolumeClaim": {"claimName": "updater-state"}} in pod(found)["volumes"]


def test_replicas_never_share_a_volume():
    """Mirrors and cache belong to one process: more replicas have a claim each."""
    found = template("all-namespaces")
    assert "PersistentVolumeClaim" not in kinds(found)
    (state,) = (volume for volume in pod(found)["volumes"] if volume["name"] == "state")
    assert state["ephemeral"]["volumeClaimTemplate"]["spec"]["storageClassName"] == "fast"
    assert "holds the state of one replica" in refusal(replicas=2, persistence={"enabled": True, "existingClaim": "there"})
    assert "persistence.enabled is false" in refusal(persistence={"existingClaim": "there"})


def test_a_budget_only_where_a_pod_can_be_spared():
    """With one replica a budget would only block the drain of its node."""
    assert "PodDisruptionBudget" not in kinds(template())
    assert one(template_of(replicas=2), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "PodDisruptionBudget" not in kinds(template_of(replicas=2, podDisruptionBudget={"enabled": False}))


# network and metrics


def test_probes_metrics_and_service_follow_the_port_of_the_configuration():
    """One setting moves all of them."""
    found = template("everything")
    ports = {"metrics": 9090, "web": 9091}
    assert container(found)["ports"] == [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]
    probes = [container(found)[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert probes == [{"path": path, "port": "metrics"} for path in ("/healthz", "/healthz", "/readyz")]
    served = {"metrics": 80, "web": 8090}
    assert one(found, "Service")["spec"]["ports"] == [
        {"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port in served.items()
    ]
    assert one(found, "ServiceMonitor")["spec"]["endpoints"][0]["port"] == "metrics"


def test_webhooks_have_a_port_and_an_ingress_only_where_they_are_received():
    found = template("everything")
    spec = one(found, "Ingress")["spec"]
    (rule,) = spec["rules"]
    assert (rule["host"], spec["tls"]) == ("hooks.example.org", [{"hosts": ["hooks.example.org"], "secretName": "hooks-tls"}])
    assert [path["path"] for path in rule["http"]["paths"]] == ["/webhooks", "/webhook"]
    ingress = {"enabled": True, "host": "a.example", "page": True}
    (rule,) = one(template_of(config={"listen": {"web": "0.0.0.0:8090"}}, ingress=ingress), "Ingress")["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/"]
    assert [port["name"] for port in container(template("default"))["ports"]] == ["metrics"]
    assert [item["kind"] for item in template("default") if item["kind"] == "Ingress"] == []
    refused = helm("template", "x", str(CHART), values={"ingress": {"enabled": True, "host": "a.example"}})
    assert "config.listen.web" in refused.stderr


@pytest.mark.parametrize("name", ["default", "everything", "several-namespaces"])
def test_selectors_find_the_pods(name):
    """Whatever selects pods or the Service selects those of this release, and no value can break it."""
    found = template(name)
    labels = one(found, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [one(found, "Deployment")["spec"]["selector"]["matchLabels"], one(found, "Service")["spec"]["selector"]]
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        selectors += [item["spec"][key]["matchLabels"] for item in found if item["kind"] == kind]
    for selector in selectors:
        assert selector.items() <= labels.items()
    stolen = template_of(podLabels={"app.kubernetes.io/name": "other"}, commonLabels={"app.kubernetes.io/instance": "other"})
    labels = one(stolen, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert one(stolen, "Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_network_policy_lets_in_whom_it_names():
    """Without a name nobody is let in; an empty list must not mean everybody."""
    spec = one(template_of(networkPolicy={"enabled": True, "metricsNamespaces": []}), "NetworkPolicy")["spec"]
    assert spec["ingress"] == []
    spec = one(template("everything"), "NetworkPolicy")["spec"]
    web, rule = spec["ingress"]
    assert web["ports"] == [{"port": "web", "protocol": "TCP"}]
    assert web["from"][1:] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
    assert rule["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    assert rule["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["monitoring", "observability"]
    assert rule["from"][1] == {"podSelector": {"matchLabels": {"app": "scraper"}}}
    assert [port["port"] for rule in spec["egress"] for port in rule["ports"]] == [53, 53, "web", 443, 6443, 22, 8443]


def test_secrets_reach_the_container():
    """Variables and files for env: and file: references come from Secrets, never through the configuration."""
    found = template("everything")
    assert {"name": "HTTPS_PROXY", "value": "http://proxy.example.org:3128"} in container(found)["env"]
    assert container(found)["envFrom"] == [{"secretRef": {"name": "registries"}}]
    assert {"name": "git", "mountPath": "/run/secrets/git", "readOnly": True} in container(found)["volumeMounts"]
    assert {"name": "git", "secret": {"secretName": "git"}} in pod(found)["volumes"]
    names = [item["name"] for item in container(template())["env"]]
    assert names == ["POD_NAME", "POD_NAMESPACE", "POD_IP"]


# bad values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replicaCount": 3}, "additional properties 'replicaCount' not allowed"),
        ({"image": {"name": "x"}}, "additional properties 'name' not allowed"),
        ({"replicas": -1}, "at '/replicas': minimum: got -1, want 0"),
        ({"replicas": "two"}, "at '/replicas': got string, want integer"),
        ({"image": {"digest": "abc"}}, "at '/image/digest'"),
        ({"config": applications(namespaces="argocd")}, "at '/config/sources/0/applications/namespaces': got string, want array"),
        ({"config": {"intervall": "2m"}}, "additional properties 'intervall' not allowed"),
        ({"config": {"interval": "soon"}}, "at '/config/interval': 'soon' does not match pattern"),
        ({"config": {"state": "/data"}}, "at '/config/state': value must be '/var/lib/updater'"),
        ({"config": {"listen": {"metrics": None}}}, "at '/config/listen': missing property 'metrics'"),
        ({"config": {"sources": [{"applications": {}, "flux": {}}]}}, "at '/config/sources/0': maxProperties: got 2, want 1"),
        ({"config": {"sources": [{"applications": {}}, {"applications": {}}]}}, "at '/config/sources'"),
        ({"networkPolicy": {"egressPorts": [70000]}}, "at '/networkPolicy/egressPorts/0': maximum: got 70,000"),
        ({"serviceMonitor": {"interval": 30}}, "at '/serviceMonitor/interval': got number, want string"),
        ({"persistence": {"accessModes": ["ReadWriteAlways"]}}, "at '/persistence/accessModes/0'"),
    ],
)
def test_bad_values_are_refused_where_they_stand(values, words):
    """A slip ends `helm install` with the place of it, and nothing reaches the cluster."""
    assert words in refusal(**values)


def test_namespaces_and_names_that_look_like_numbers_stay_texts():
    """A namespace may be called 123, or 1e3, or null."""
    for name in ("123", "1e3", "null"):
        found = template_of(config=applications(namespaces=[name]), namespace=name)
        assert {item["metadata"]["namespace"] for item in found if item["kind"] in {"Deployment", "RoleBinding"}} == {
            name,
            "argocd",
        }
        assert {subject["namespace"] for item in found for subject in item.get("subjects", ())} == {name}


# what is written about it


def test_the_version_is_that_of_the_program():
    """appVersion, and with it the tag of the image, is the version of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == project["version"]
    assert container(template())["image"] == f"gitops-image-updater:{project['version']}"


def leaves(values, rule, place=""):
    """Give the places of all values, down to what the schema leaves free."""
    for name, value in values.items():
        below = rule["properties"].get(name, {}) if "properties" in rule else {}
        if isinstance(value, dict) and "properties" in below:
            yield from leaves(value, below, f"{place}{name}.")
        else:
            yield f"{place}{name}"


def test_every_value_has_its_row_and_its_rule():
    """README.md has a row for each value, and the schema a rule for each and for nothing else."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    tree = json.loads((CHART / "values.schema.json").read_text())
    page = (CHART / "README.md").read_text()
    assert [place for place in leaves(values, tree) if f"\n| `{place}` |" not in page] == []
    assert set(tree["properties"]) - set(values) == {"global"}
    for name, rule in tree["properties"].items():
        assert rule["description"], name
        assert set(rule.get("properties", ())) == (set(values[name]) if "properties" in rule else set())


def test_maps_of_the_schema_are_closed():
    """Wherever the schema names properties, others are refused."""
    tree = json.loads((CHART / "values.schema.json").read_text())
    tree["properties"].pop("config")  # the program's own schema closes what it closes
    tree.pop("$defs")

    def open_maps(node, place):
        if isinstance(node, dict):
            if "properties" in node and node.get("additionalProperties") is not False:
                yield place
            for name, item in node.items():
                yield from open_maps(item, f"{place}/{name}")

    assert list(open_maps(tree, "")) == []


@pytest.mark.parametrize(
    ("copy", "source"), [("alerts.yaml", "prometheus/alerts.yaml"), ("dashboard.json", "grafana/dashboard.json")]
)
def test_copies_in_the_chart_are_fresh(copy, source):
    """A chart reads nothing outside its folder, so it has a copy of alerts and dashboard, byte for byte."""
    assert (CHART / "files" / copy).read_bytes() == (ROOT / "config" / source).read_bytes(), "run make docs"


def test_alerts_and_dashboard_are_what_config_has():
    """The rule and the dashboard reach the cluster as they stand in config/, templates of alerts and all."""
    found = template("alerts-and-dashboard")
    assert one(found, "PrometheusRule")["spec"] == yaml.safe_load((ROOT / "config/prometheus/alerts.yaml").read_text())
    shown = json.loads(one(found, "ConfigMap", "updater-dashboard")["data"]["updater.json"])
    assert shown == json.loads((ROOT / "config/grafana/dashboard.json").read_text())


def test_what_is_packed_has_no_files_of_tests(tmp_path):
    """The package has templates, schema, page and copies, and not the values of the tests."""
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("updater-*.tgz")
    with tarfile.open(package) as archive:
        names = {name.removeprefix("updater/") for name in archive.getnames()}
    assert {"Chart.yaml", "values.schema.json", "README.md", "templates/_rules.tpl"} <= names
    assert not [name for name in names if name.startswith("ci/")]


def test_what_runs_an_image_can_be_watched_in_its_namespace_and_told_of_its_verdict():
    """A Rollout is read together with Deployments; nothing else of the namespace is."""
    subscriptions = [followed("Rollout/shop/web"), followed("Canary/shop/api")]
    watched = {("shop", verb, kind, "*") for kind in ("deployments", "rollouts", "canaries") for verb in ("list", "watch")}
    told = {("shop", verb, "events", "*") for verb in ("create", "patch")} | {("shop", "list", "replicasets", "*")}
    assert rights(template_of(config={"sources": [], "subscriptions": subscriptions})) == watched | told


def test_what_is_followed_in_another_cluster_needs_no_right_in_this_one():
    elsewhere = [followed("Rollout/shop/web"), followed("Canary/shop/api")]
    elsewhere[0]["delivery"]["context"] = "staging"
    elsewhere[1]["delivery"] = {"context": "staging"}
    assert rights(template_of(config={"sources": [], "subscriptions": elsewhere})) == set()


def followed(workload):
    target = {"git": {"url": "https://git.example.org/fleet.git"}, "marker": "fleet:web"}
    policy = {"semver": {"range": ">=1.0.0"}}
    return {
        "key": workload,
        "image": "ghcr.io/acme/web",
        "policy": policy,
        "delivery": {"workload": workload},
        "targets": [target],
    }
