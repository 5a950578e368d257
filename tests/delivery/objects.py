"""Objects as their owners define them, small: what a test changes is said in the test."""

from __future__ import annotations

import copy

NAME = "registry.example.org/acme/shop"
NEW, OLD = f"{NAME}:1.1.0", f"{NAME}:1.0.0"
COMMIT, BEFORE = "a" * 40, "b" * 40


def template(image=NEW):
    return {"spec": {"containers": [{"name": "shop", "image": image}, {"name": "proxy", "image": "envoy:1.30"}]}}


def merged(base, change):
    """Give a copy of *base* with *change* in it; None takes a key away."""
    made = copy.deepcopy(base)
    for key, value in change.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, dict) and isinstance(made.get(key), dict):
            made[key] = merged(made[key], value)
        else:
            made[key] = value
    return made


def metadata(name="shop", generation=2, **more):
    return {"name": name, "namespace": "shop", "generation": generation, **more}


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": metadata(),
    "spec": {"replicas": 2, "template": template()},
    "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2},
}
STATEFUL_SET = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": metadata(),
    "spec": {"replicas": 2, "template": template()},
    "status": {
        "observedGeneration": 2,
        "replicas": 2,
        "readyReplicas": 2,
        "updatedReplicas": 2,
        "currentRevision": "shop-2",
        "updateRevision": "shop-2",
    },
}
DAEMON_SET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": metadata(),
    "spec": {"template": template()},
    "status": {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3},
}
ROLLOUT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": metadata(),
    "spec": {"replicas": 2, "template": template()},
    "status": {"observedGeneration": "2", "phase": "Healthy", "currentPodHash": "new", "stableRS": "new"},
}
CANARY = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": metadata(),
    "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}},
    "status": {"phase": "Succeeded", "lastTransitionTime": "2026-03-01T12:00:00Z"},
}
APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": metadata(),
    "status": {
        "sync": {"status": "Synced", "revision": COMMIT},
        "health": {"status": "Healthy"},
        "operationState": {"phase": "Succeeded", "syncResult": {"revision": COMMIT}},
        "summary": {"images": [NEW, "envoy:1.30"]},
    },
}
KUSTOMIZATION = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": metadata(),
    "spec": {"wait": True},
    "status": {
        "observedGeneration": 2,
        "lastAppliedRevision": f"main@sha1:{COMMIT}",
        "lastAttemptedRevision": f"main@sha1:{COMMIT}",
        "conditions": [{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "observedGeneration": 2}],
    },
}
HELM_RELEASE = {
    "apiVersion": "helm.toolkit.fluxcd.io/v2",
    "kind": "HelmRelease",
    "metadata": metadata(),
    "spec": {"values": {"image": {"repository": NAME, "tag": "1.1.0"}}},
    "status": {
        "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "True", "reason": "UpgradeSucceeded", "observedGeneration": 2}],
    },
}
ALL = {
    "Deployment": DEPLOYMENT,
    "StatefulSet": STATEFUL_SET,
    "DaemonSet": DAEMON_SET,
    "Rollout": ROLLOUT,
    "Canary": CANARY,
    "Application": APPLICATION,
    "Kustomization": KUSTOMIZATION,
    "HelmRelease": HELM_RELEASE,
}


def conditions(*several):
    keys = ("type", "status", "reason", "message")
    return {"conditions": [dict(zip(keys, one, strict=False)) for one in several]}
