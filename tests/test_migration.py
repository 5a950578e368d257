"""The page for those who come from Argo CD Image Updater answers everything that they may have set, watched or called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from updater.argocd.peer_settings import read_peer_settings
from updater.reporting.metrics import METRICS
from updater.settings import build_settings, schema

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/how-to/migrate-from-argocd-image-updater.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")]
ASKED = " ".join(row.split(" | ")[0] for row in ROWS)

FLAGS = """
acr-webhook-secret aliyun-acr-webhook-secret allow-tags application-namespace applications-api argocd-auth-token argocd-grpc-web
argocd-insecure argocd-namespace argocd-plaintext argocd-server-addr cloudevents-webhook-secret credentials disable-kube-events
disable-kubernetes disable-tls docker-webhook-secret dry-run enable-http2 enable-webhook ghcr-webhook-secret git-commit-email
git-commit-message-path git-commit-method git-commit-sign-off git-commit-signing-key git-commit-signing-method git-commit-user
harbor-webhook-secret health-port health-probe-bind-address ignore-tags interval kubeconfig leader-election
leader-election-namespace logformat loglevel match-application-label match-application-name max-concurrency max-concurrent-apps
max-concurrent-reconciles max-concurrent-updaters metrics-bind-address metrics-port metrics-secure once platforms
quay-webhook-secret rate-limit registries-conf-path semver-constraint short tlsciphers tlsmaxversion tlsminversion update-strategy
warmup-cache watch-namespaces webhook-port webhook-ratelimit-allowed webhook-require-secret
"""
VARIABLES = """
ACR_WEBHOOK_SECRET ALIYUN_ACR_WEBHOOK_SECRET APPLICATIONS_API ARGOCD_EXEC_FATAL_TIMEOUT ARGOCD_EXEC_TIMEOUT
ARGOCD_GITHUB_APP_CREDS_EXPIRATION_DURATION ARGOCD_GIT_ATTEMPTS_COUNT ARGOCD_GIT_REQUEST_TIMEOUT ARGOCD_GIT_RETRY_DURATION
ARGOCD_GIT_RETRY_FACTOR ARGOCD_GIT_RETRY_MAX_DURATION ARGOCD_GRPC_WEB ARGOCD_INSECURE ARGOCD_LOGLEVEL ARGOCD_NAMESPACE
ARGOCD_PLAINTEXT ARGOCD_SERVER ARGOCD_TOKEN CLOUDEVENTS_WEBHOOK_SECRET DISABLE_TLS DOCKER_WEBHOOK_SECRET ENABLE_LOG_COLORS
ENABLE_WEBHOOK GHCR_WEBHOOK_SECRET GIT_COMMIT_EMAIL GIT_COMMIT_METHOD GIT_COMMIT_SIGNING_KEY GIT_COMMIT_SIGNING_METHOD
GIT_COMMIT_SIGN_OFF GIT_COMMIT_USER HARBOR_WEBHOOK_SECRET HTTPS_PROXY HTTP_PROXY IMAGE_UPDATER_INTERVAL IMAGE_UPDATER_KUBE_EVENTS
IMAGE_UPDATER_LOGFORMAT IMAGE_UPDATER_LOGLEVEL IMAGE_UPDATER_WATCH_NAMESPACES KUBECONFIG MAX_CONCURRENT_APPS
MAX_CONCURRENT_RECONCILES MAX_CONCURRENT_UPDATERS NO_PROXY POD_NAMESPACE QUAY_WEBHOOK_SECRET TLS_CIPHERS TLS_MAX_VERSION
TLS_MIN_VERSION WEBHOOK_PORT WEBHOOK_RATELIMIT_ALLOWED WEBHOOK_REQUIRE_SECRET
"""
KEYS = """
applications_api argocd.grpc_web argocd.insecure argocd.namespace argocd.plaintext argocd.server_addr argocd.token disable-tls
git.commit-message-template git.commit-method git.commit-sign-off git.commit-signing-key git.commit-signing-method git.email
git.user interval kube.events log.format log.level max_concurrent_apps max_concurrent_reconciles registries.conf tls.ciphers
tls.max-version tls.min-version watch.namespaces webhook.acr-secret webhook.aliyun-acr-secret webhook.cloudevents-secret
webhook.docker-secret webhook.enable webhook.ghcr-secret webhook.harbor-secret webhook.port webhook.quay-secret
webhook.ratelimit-allowed webhook.require-secret
"""
ANNOTATIONS = """
image-list update-strategy force-update allow-tags <alias>.tag-match ignore-tags pull-secret <alias>.platforms
<alias>.helm.image-name .helm.image-tag .helm.image-spec <alias>.kustomize.image-name write-back-method write-back-target
git-branch git-repository
"""
FIELDS = """
namePattern labelSelectors useAnnotations alias imageName helm kustomize plugin commonUpdateSettings updateStrategy forceUpdate
allowTags ignoreTags pullSecret platforms writeBackConfig repository branch writeBackTarget pullRequest github gitlab labels
imagesVerification enabled cosignKey status observedGeneration lastCheckedAt lastUpdatedAt applicationsMatched imagesManaged
recentUpdates conditions
"""
PEERS_METRICS = """
applications_watched_total images_watched_total images_updated_total images_errors_total registry_requests_total
registry_requests_failed_total k8s_api_requests_total k8s_api_errors_total
"""
COMMANDS = ("run", "run --once", "webhook", "test IMAGE", "template", "version")


@pytest.mark.parametrize("flag", FLAGS.split())
def test_every_flag_is_answered(flag: str) -> None:
    """A flag of any version of the peer stands in a table."""
    assert re.search(rf"--{flag}`", ASKED)


@pytest.mark.parametrize("name", VARIABLES.split())
def test_every_variable_is_answered(name: str) -> None:
    """A variable that any version of the peer reads stands in a table."""
    assert f"`{name}`" in ASKED


@pytest.mark.parametrize("key", KEYS.split())
def test_every_key_of_the_configmap_is_answered_by_the_page_and_known_by_the_program(key: str) -> None:
    """A key that any version of the peer reads stands in a table, and is no unknown key."""
    assert f"`{key}`" in ASKED
    peer = read_peer_settings({key: "x"}, origin="ConfigMap a/b")
    assert "unknown-key" not in {problem.code for problem in peer.problems if not problem.line}


@pytest.mark.parametrize("name", [*ANNOTATIONS.split(), *COMMANDS])
def test_every_annotation_and_command_is_answered(name: str) -> None:
    """Annotations and commands stand in tables under their names."""
    assert f"`{name}" in ASKED


@pytest.mark.parametrize("field", FIELDS.split())
def test_every_field_of_the_object_is_answered(field: str) -> None:
    """Each field of an ImageUpdater stands in the table of its kind."""
    table = PAGE.partition("## ImageUpdater objects")[2].partition("\n## ")[0]
    assert re.search(rf"[`.]{field}[`.\[]", table)


@pytest.mark.parametrize("name", PEERS_METRICS.split())
def test_every_metric_is_answered_by_one_that_there_is(name: str) -> None:
    """A metric of the peer has a row, and what stands behind it is counted here."""
    (row,) = (row for row in ROWS if f"`argocd_image_updater_{name}`" in row)
    named = re.findall(r"`(updater_[a-z_]+)", row)
    assert named
    assert set(named) <= set(METRICS)


def test_the_settings_that_answer_are_there() -> None:
    """What the tables name as ours is a setting with a heading of its own."""
    heads = set(re.findall(r"^## `([^`]+)`", SETTINGS, re.MULTILINE))
    tops = set(schema()["properties"])
    answers = " ".join(row.partition(" | ")[2] for row in ROWS if "image-updater.gitops" not in row)
    named = set(re.findall(r"`([a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)+)`", answers))
    ours = {name for name in named if re.split(r"[.\[]", name)[0] in tops}
    assert len(ours) > 15
    assert ours <= heads


def test_the_configuration_on_the_page_is_one() -> None:
    """The one line to begin with is taken as it stands."""
    found = re.search(r"```yaml\n(sources: .*\n)```", PAGE)
    assert found
    assert build_settings([("updater.yaml", found[1].encode())], {"HOME": "/"}).applications is not None
