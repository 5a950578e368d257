"""The page for those who come from Flux's image controllers answers everything that they may have set, watched or called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from updater.flux.request.image_repositories import CLOUDS
from updater.reporting.metrics import METRICS
from updater.settings import build_settings, schema

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/how-to/migrate-from-flux.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
CODES = (ROOT / "docs/reference/codes.toml").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")]
ASKED = " ".join(row.split(" | ")[0] for row in ROWS)

FIELDS = {
    "ImageRepository": """
        image interval timeout secretRef serviceAccountName certSecretRef proxySecretRef insecure provider exclusionList
        accessFrom namespaceSelectors matchLabels suspend conditions
        observedGeneration canonicalImageName lastScanResult revision tagCount scanTime latestTags
        observedExclusionList lastHandledReconcileAt
    """,
    "ImagePolicy": """
        imageRepositoryRef name namespace policy semver range alphabetical order numerical filterTags pattern extract
        digestReflectionPolicy Never IfNotPresent Always interval suspend latestRef observedPreviousRef conditions
        observedGeneration lastHandledReconcileAt
    """,
    "ImageUpdateAutomation": """
        sourceRef apiVersion kind name namespace interval policySelector matchLabels matchExpressions
        operator checkout branch tag semver commit author email
        messageTemplate messageTemplateValues signingKey secretRef type push refspec options update path strategy suspend
        lastAutomationRunTime lastPushCommit lastPushTime observedPolicies observedSourceRevision conditions observedGeneration
        lastHandledReconcileAt
    """,
    "GitRepository": """
        url ref branch tag semver commit secretRef proxySecretRef provider serviceAccountName
        timeout interval suspend ignore include verify
        recurseSubmodules sparseCheckout
    """,
}
REASONS = """
Succeeded Progressing ProgressingWithRetry ImageURLInvalid FeatureGateDisabled AuthenticationFailed ReadOperationFailed Failure
IntervalNotConfigured InvalidPolicy DependencyNotReady AccessDenied Failed InvalidPolicySelector InvalidSourceConfiguration
InvalidUpdateStrategy RemovedTemplateField SourceManagerFailed GitOperationFailed UpdateFailed
"""
FLAGS = """
concurrent default-service-account enable-leader-election events-addr feature-gates gc-interval health-addr kube-api-burst
kube-api-qps leader-election-lease-duration leader-election-release-on-cancel leader-election-renew-deadline
leader-election-retry-period log-encoding log-level max-retry-delay metrics-addr min-retry-delay no-cross-namespace-refs
requeue-dependency ssh-hostkey-algos ssh-kex-algos storage-compression-threshold storage-path storage-value-log-file-size
token-cache-max-duration token-cache-max-size watch-all-namespaces watch-label-selector
"""
GATES = """
CacheSecretsAndConfigMaps FluxStorage GitAllBranchReferences GitForcePushBranch GitShallowClone GitSparseCheckout
ObjectLevelWorkloadIdentity
"""
PEERS_METRICS = """
controller_runtime_reconcile_total controller_runtime_reconcile_errors_total gotk_reconcile_condition
gotk_reconcile_duration_seconds gotk_suspend_status gotk_token_cache_events_total gotk_token_cache_evictions_total
gotk_token_cache_requests_total gotk_token_cached_items go_* leader_election_master_status
process_* rest_client_requests_total workqueue_depth
"""
COMMANDS = (
    "flux get images all",
    *(f"flux {verb} image {kind}" for verb in ("get", "reconcile") for kind in ("repository", "policy", "update")),
    *(f"flux {verb} image" for verb in ("suspend", "resume", "create", "delete", "export")),
    "flux install",
    "flux bootstrap",
)
SIGNALS = ("reconcile.fluxcd.io/requestedAt", "finalizers.fluxcd.io", "image-reflector-controller-leader-election")


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, fields in FIELDS.items() for field in fields.split()])
def test_every_field_of_the_objects_is_answered(kind: str, field: str) -> None:
    """Each field of spec and status stands in the table of its kind."""
    table = PAGE.partition(f"## {kind}\n")[2].partition("\n## ")[0]
    asked = " ".join(line.split(" | ")[0] for line in table.splitlines() if line.startswith("| "))
    assert re.search(rf"[`.]{field}[`.]", asked)


@pytest.mark.parametrize("reason", REASONS.split())
def test_every_reason_of_a_condition_is_answered(reason: str) -> None:
    """A reason that the peers give stands in the table of conditions."""
    table = PAGE.partition("## Conditions\n")[2].partition("\n## ")[0]
    assert f"`{reason}`" in table


@pytest.mark.parametrize("flag", FLAGS.split())
def test_every_flag_is_answered(flag: str) -> None:
    """A flag of one of the two controllers stands in a table."""
    assert f"`--{flag}`" in ASKED


@pytest.mark.parametrize("name", [*GATES.split(), *PEERS_METRICS.split(), *SIGNALS])
def test_every_gate_metric_and_signal_is_answered(name: str) -> None:
    """Feature gates, metrics, annotations and Leases stand in tables under their names."""
    assert f"`{name}`" in ASKED


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_answered(command: str) -> None:
    """The commands for images stand in the table of commands."""
    assert f"`{command}" in ASKED


def test_the_metrics_that_answer_are_there() -> None:
    """What the page names as a metric of this program is counted."""
    named = set(re.findall(r"`(updater_[a-z_]+)", PAGE))
    assert len(named) >= 10
    assert named <= set(METRICS)


def test_the_settings_that_answer_are_there() -> None:
    """What the tables name as ours is a setting with a heading of its own."""
    heads = set(re.findall(r"^## `([^`]+)`", SETTINGS, re.MULTILINE))
    tops = set(schema()["properties"]) - {"git"}  # git.asc is a key of a Secret
    answers = " ".join(row.partition(" | ")[2] for row in ROWS)
    named = set(re.findall(r"`([a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)+)(?::[^`]*)?`", answers))
    ours = {name for name in named if re.split(r"[.\[]", name)[0] in tops}
    assert len(ours) >= 7
    assert ours <= heads


def test_events_that_are_told_here_alone_are_codes_of_this_program() -> None:
    """An Event of a problem is called after its code."""
    row = next(row for row in ROWS if "`FluxRuns`" in row)
    for reason in re.findall(r"`([A-Z][A-Za-z]+)`", row.split(" | ")[0]):
        code = re.sub(r"(?<!^)([A-Z])", r"-\1", reason).lower()
        assert re.search(rf"^{code} = ", CODES, re.MULTILINE)


def test_what_is_not_supported_yet_is_what_the_program_refuses() -> None:
    """The clouds that end an ImageRepository are those that the page names."""
    listed = PAGE.partition("## Not supported yet\n")[2]
    assert all(f"`{cloud}`" in listed for cloud in CLOUDS)


def test_the_configuration_on_the_page_is_one() -> None:
    """The one line to begin with is taken as it stands."""
    found = re.search(r"```yaml\n(sources: .*\n)```", PAGE)
    assert found
    assert build_settings([("updater.yaml", found[1].encode())], {"HOME": "/"}).flux is not None
