"""Webhooks and people who act, on real replicas under the rights of the chart: any takes both, the one that leads does it."""

from __future__ import annotations

import contextlib
import json
import urllib.error
from dataclasses import dataclass

import pytest
import yaml

from tests.real.argocd_flows import LEASE
from tests.real.daemon_process import Daemon, until
from tests.real.lab_objects import ARGOCD
from tests.real.people_site import PERSON, PeopleSite, signed, web_settings

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_argocd")]

ACCOUNT = "people"
HOLDS = "updater-holds"
CONFIG_MAP = f"/api/v1/namespaces/{ARGOCD}/configmaps/{HOLDS}"
LEASE_SECONDS = 15
SLOW = 120.0
CHOSEN = {
    "config": {"listen": {"web": "0.0.0.0:8090"}, "web": {"roles": {"act": [PERSON]}}, "holds": f"configmap:{ARGOCD}/{HOLDS}"}
}
OURS = "image-updater.gitops/"


@dataclass
class Replica:
    daemon: Daemon
    site: PeopleSite


@pytest.fixture
def people(flow, monkeypatch):
    """A flow whose daemons have a page with people, and what the chart grants for it."""
    monkeypatch.setenv("POD_IP", "127.0.0.1")
    sources = flow.lab.values["config"]
    flow.lab.grant(ACCOUNT, config={**sources, **CHOSEN["config"]})
    yield flow
    with contextlib.suppress(urllib.error.HTTPError):
        flow.lab.cluster.request("DELETE", CONFIG_MAP)


def replica(flow, name, **more):
    site = PeopleSite()
    settings = {"account": ACCOUNT, "web": web_settings(flow.folder), "interval": "1h", **more}
    daemon = flow.daemon(name, listen={"web": site.listen}, **settings)
    return Replica(daemon, site)


def decided(flow, name):
    """Return the annotations of an Application that say what people decided, read as they stand there, without times."""
    annotations = flow.read(name)["metadata"].get("annotations", {})
    return {key.removeprefix(OURS): timeless(yaml.safe_load(text)) for key, text in annotations.items() if key.startswith(OURS)}


def timeless(decision):
    if isinstance(decision, list):
        return [timeless(item) for item in decision]
    return {name: value for name, value in decision.items() if name not in {"since", "until"}}


def is_held(site, key):
    return f"held by {PERSON}" in site.visit(key)


def test_a_webhook_and_an_act_at_a_replica_that_does_not_lead_are_done_by_the_leader_and_outlive_its_death(people):
    """Told to the follower, landed by the leader; held at the follower's page; the leader is killed with a hint in hand."""
    flow = people
    flow.push("web", "1.0.0")
    flow.app("web")
    key, image = f"{ARGOCD}/web/it", f"{flow.lab.registry.host}/{flow.images}/web"
    head = flow.lab.repository.head()
    one, two = replica(flow, "one"), replica(flow, "two")
    with one.daemon, two.daemon:
        leader = until(lambda: next((each for each in (one, two) if each.daemon.leads()), None), SLOW, say=one.daemon.said)
        other = two if leader is one else one
        other.daemon.until(other.daemon.is_ready)
        other.daemon.until(lambda: other.daemon.metric("updater_subscriptions", source="applications") == 1)
        leader.daemon.until(lambda: leader.daemon.metric("updater_scans_total") >= 1)
        flow.push("web", "1.1.0")
        other.daemon.until(lambda: other.site.tell(image)[0] == 202)
        leader.daemon.until(lambda: "1.1.0" in flow.written("web"))
        assert other.daemon.metric("updater_webhooks_total", result="forwarded") >= 1
        other.site.act(key, "hold")
        leader.daemon.until(lambda: is_held(leader.site, key))
        assert decided(flow, "web")["it.hold"] == {"author": PERSON, "reason": "incident 4711"}
        flow.push("web", "1.2.0")
        other.daemon.until(lambda: other.site.tell(image)[0] == 202)
        leader.daemon.until(lambda: sum(each.daemon.metric("updater_outcomes_total", status="held") for each in (one, two)) >= 1)
        other.site.act(key, "release")
        leader.daemon.until(lambda: "1.2.0" in flow.written("web"))
        flow.push("web", "1.3.0")
        other.site.tell(image)
        leader.daemon.kill()
        status, _ = other.site.tell(image)
        assert status in {202, 503}, "the sender is told to try again, or it is taken"
        other.daemon.until(other.daemon.leads, LEASE_SECONDS + SLOW)
        other.daemon.until(lambda: "1.3.0" in flow.written("web"), SLOW)
        assert len(flow.commits(head)) == 3
        assert flow.lab.cluster.request("GET", LEASE)["metadata"]["annotations"]["image-updater.gitops/address"] == (
            f"http://127.0.0.1:{other.site.port}"
        )


def test_what_a_person_does_at_the_page_stands_on_the_application_with_their_name(people):
    flow = people
    flow.push("shop", "1.0.0", "1.1.0", "1.2.0")
    flow.app("shop")
    key = f"{ARGOCD}/shop/it"
    acted = replica(flow, "one", interval="2s")
    with acted.daemon as daemon:
        daemon.until(lambda: "1.2.0" in flow.written("shop"))
        acted.site.act(key, "pin", tag="1.1.0")
        daemon.until(lambda: "1.1.0" in flow.written("shop"))
        assert decided(flow, "shop")["it.pin"] == {"tag": "1.1.0", "author": PERSON, "reason": "incident 4711"}
        acted.site.act(key, "release")
        assert decided(flow, "shop").get("it.pin") is None
        acted.site.act(key, "reject", image="1.3.0")
        assert decided(flow, "shop")["it.reject"] == [{"tag": "1.3.0", "author": PERSON, "reason": "incident 4711"}]
        daemon.until(lambda: "1.2.0" in flow.written("shop"))
        flow.push("shop", "1.3.0")
        acted.site.act(key, "scan")
        daemon.until(lambda: f"rejected by {PERSON}" in acted.site.visit(key))
        assert "1.3.0" not in flow.written("shop")


def git_settings(flow):
    secret = flow.folder / "git-password"
    secret.write_text("lab:lab-password")
    access = {"prefix": flow.lab.git_url, "credentials": f"file:{secret}", "ca": str(flow.lab.cluster.authority.path)}
    return {"author": {"name": "updater", "email": "updater@example.org"}, "repositories": [access]}


FILED = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: api}}
data:
  image: {image}:1.0.0 # {{"$imagepolicy": "fleet:api"}}
"""


def test_what_a_person_does_for_a_subscription_of_the_file_stands_in_the_configmap_with_their_name(people):
    """The ConfigMap is made by the first act, with the right that the chart grants where people may act."""
    flow = people
    flow.push("api", "1.0.0", "1.1.0")
    image = f"{flow.lab.registry.host}/{flow.images}/api"
    flow.lab.repository.commit({"plain/api.yaml": FILED.format(image=image).encode()})
    target = {"git": {"url": flow.lab.git_url, "branch": "main"}, "marker": "fleet:api"}
    subscription = {"key": "api", "image": image, "policy": {"semver": {"range": ">=1.0.0"}}, "targets": [target]}
    holding = {"holds": f"configmap:{ARGOCD}/{HOLDS}", "subscriptions": [subscription], "git": git_settings(flow)}
    acted = replica(flow, "one", interval="2s", **holding)

    def holds():
        if not flow.is_there(CONFIG_MAP):
            return {}
        return yaml.safe_load(flow.lab.cluster.request("GET", CONFIG_MAP)["data"]["holds.yaml"]) or {}

    def line():
        return flow.written("api", "plain/api.yaml")

    with acted.daemon as daemon:
        daemon.until(lambda: "1.1.0" in line())
        acted.site.act("api", "hold", for_="4h")
        daemon.until(lambda: is_held(acted.site, "api"))
        assert timeless(holds()["api"]["hold"]) == {"author": PERSON, "reason": "incident 4711"}
        flow.push("api", "1.2.0")
        daemon.until(lambda: daemon.metric("updater_outcomes_total", status="held") >= 1)
        assert "1.1.0" in line()
        acted.site.act("api", "reject", image="1.2.0")
        assert timeless(holds()["api"]["reject"]) == [{"tag": "1.2.0", "author": PERSON, "reason": "incident 4711"}]
        acted.site.act("api", "release")
        daemon.until(lambda: "1.2.0" in line())
        acted.site.act("api", "pin", tag="1.1.0")
        daemon.until(lambda: "1.1.0" in line())
        assert timeless(holds()["api"]["pin"]) == {"tag": "1.1.0", "author": PERSON, "reason": "incident 4711"}


def test_who_may_only_read_is_refused_and_nothing_is_written(people):
    flow = people
    flow.push("read", "1.0.0")
    flow.app("read")
    settings = web_settings(flow.folder) | {"roles": {"act": []}}
    acted = replica(flow, "one", web=settings)
    with acted.daemon as daemon:
        daemon.until(lambda: acted.site.visit(f"{ARGOCD}/read/it"))
        body = json.dumps({"reason": "why"}).encode()
        path = f"/api/v1/subscriptions/{ARGOCD}%2Fread%2Fit/hold"
        status, _ = acted.site.ask(path, body, Authorization=signed(), Content_Type="application/json")
        assert status == 403
        daemon.until(lambda: daemon.metric("updater_web_denied_total") >= 1)
        assert decided(flow, "read") == {}
