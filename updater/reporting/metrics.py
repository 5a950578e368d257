"""Every Prometheus metric of the program, in one table; the only module that imports prometheus_client.

Labels never contain tags, digests or paths: a release must not add a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.model.outcome import Outcome

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its kind, its help text, its labels; buckets are in seconds.

    *begun* are label values of series that are served from the start, with 0: where a series begins with 1, Prometheus sees
    no increase, and an alert on what happens once would stay silent.
    """

    kind: type[Counter | Gauge | Histogram]
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    begun: tuple[tuple[str, ...], ...] = ()


#: ten buckets from 10 ms to half an hour, each longer by the same factor, as Flux has them
_FLUX_SECONDS: Final = tuple(0.01 * (1800.0 / 0.01) ** (step / 9) for step in range(10))
_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_RELEASE_SECONDS: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0, 14400.0)

METRICS: Final[dict[str, Metric]] = {
    "updater_subscriptions": Metric(kind=Gauge, text="Subscriptions in force, by source.", labels=("source",)),
    "updater_problems": Metric(kind=Gauge, text="Problems found in the objects of a source, by code.", labels=("source", "code")),
    "updater_marker_problems": Metric(
        kind=Gauge,
        text="Problems of files that are searched for markers, such as a misspelt marker or one that nobody subscribed to.",
        labels=("code",),
    ),
    "updater_subscription_last_success_timestamp_seconds": Metric(
        kind=Gauge,
        text="Time when every target of a subscription last ended without failure, in Unix time.",
        labels=("subscription",),
    ),
    "updater_subscription_pending_since_timestamp_seconds": Metric(
        kind=Gauge,
        text="Time since which a chosen image waits to be written, in Unix time; 0 if none waits, or a gate opens by itself.",
        labels=("subscription",),
    ),
    "updater_subscription_rejected_images": Metric(
        kind=Gauge, text="Images that people took back and that are not chosen for that reason.", labels=("subscription",)
    ),
    "updater_gate_holds": Metric(
        kind=Gauge, text="Targets that a gate or a decision of people holds at the moment, by code.", labels=("code",)
    ),
    "updater_outcomes_total": Metric(kind=Counter, text="Target outcomes, by method and status.", labels=("method", "status")),
    "updater_failures_total": Metric(
        kind=Counter, text="Failed and held targets, by stable code.", labels=("code",), begun=(("bug",),)
    ),
    "updater_registry_requests_total": Metric(
        kind=Counter,
        text="Requests to registries and token servers; status 0 means no answer, hosts after the 200th are other.",
        labels=("host", "status"),
    ),
    "updater_registry_request_seconds": Metric(
        kind=Histogram, text="Duration of requests to registries, in seconds.", labels=("host",), buckets=_SECONDS
    ),
    "updater_scans_total": Metric(kind=Counter, text="Scans of images, by registry and result.", labels=("registry", "result")),
    "updater_git_requests_total": Metric(kind=Counter, text="Requests to Git servers, by kind.", labels=("kind",)),
    "updater_mirrors": Metric(kind=Gauge, text="Mirrors of Git repositories."),
    "updater_mirror_packs": Metric(kind=Gauge, text="Packs in all mirrors at the last count."),
    "updater_mirrors_mended_total": Metric(kind=Counter, text="Mirrors that were damaged or missing, and were fetched again."),
    "updater_threads": Metric(kind=Gauge, text="Threads of the process."),
    "updater_tasks": Metric(kind=Gauge, text="Tasks on the event loop."),
    "updater_looks_total": Metric(kind=Counter, text="Reads of destinations, by result.", labels=("result",)),
    "updater_landings_total": Metric(
        kind=Counter,
        text="Updates of a destination that pushed or tried to, by result.",
        labels=("result",),
        begun=(("pushed",), ("unchanged",), ("refused",), ("failed",)),
    ),
    "updater_landing_seconds": Metric(
        kind=Histogram, text="Duration of updates of one destination that pushed, in seconds.", buckets=_SECONDS
    ),
    "updater_commits_total": Metric(
        kind=Counter,
        text="Commits pushed, and live Applications patched.",
        labels=("method",),
        begun=(("git",), ("argocd",)),
    ),
    "updater_releases_total": Metric(
        kind=Counter,
        text="Releases that ended, by verdict: healthy, bad, superseded, or unknown.",
        labels=("verdict",),
        begun=(("healthy",), ("bad",), ("superseded",), ("unknown",)),
    ),
    "updater_release_seconds": Metric(
        kind=Histogram,
        text="Time from a commit to the verdict on it, in seconds; releases that began before this process are left out.",
        labels=("verdict",),
        buckets=_RELEASE_SECONDS,
    ),
    "updater_releases_in_flight": Metric(kind=Gauge, text="Commits that are followed until there is a verdict."),
    "updater_replays_total": Metric(kind=Counter, text="Pushes refused and decided again on the new head."),
    "updater_cache_requests_total": Metric(
        kind=Counter, text="Lookups in the cache of image descriptions, by result: hit or miss.", labels=("result",)
    ),
    "updater_cache_problems_total": Metric(kind=Counter, text="Times the cache could not be used; work continues without it."),
    "updater_listener_failures_total": Metric(
        kind=Counter,
        text="Reports that a listener did not take because of a bug; the log has the traceback.",
        labels=("listener",),
    ),
    "updater_reports_dropped_total": Metric(
        kind=Counter, text="Reports that a slow listener has lost; its queue was full.", labels=("listener",)
    ),
    "updater_event_loop_longest_block_seconds": Metric(
        kind=Gauge, text="Longest time in the last minute during which the event loop was blocked, in seconds."
    ),
    "updater_web_denied_total": Metric(
        kind=Counter, text="Requests to the page and the API that were refused, by reason.", labels=("reason",)
    ),
    "updater_web_acts_total": Metric(
        kind=Counter, text="What people did at the page and by the API, by act and result.", labels=("act", "result")
    ),
    "updater_webhooks_total": Metric(
        kind=Counter,
        text="Webhooks received, by configured name and result; a path that is not configured has no name.",
        labels=("webhook", "result"),
        begun=(("", "unknown"),),
    ),
    "updater_images_with_webhooks": Metric(
        kind=Gauge, text="Images that are scanned at interval_with_webhooks, because their webhooks are seen to work."
    ),
    "updater_webhook_scans_total": Metric(kind=Counter, text="Scans of images that began because of a webhook."),
    "updater_generation": Metric(kind=Gauge, text="Number of the configuration in force, counted from the start."),
    "updater_reloads_total": Metric(
        kind=Counter, text="Reloads of the configuration, by result.", labels=("result",), begun=(("ok",), ("refused",))
    ),
    "updater_leader": Metric(kind=Gauge, text="1 while this replica leads and writes, otherwise 0."),
    "updater_kubernetes_requests_total": Metric(
        kind=Counter, text="Requests to the API server; status 0 means no answer.", labels=("verb", "status")
    ),
    "updater_kubernetes_writes_total": Metric(
        kind=Counter, text="Writes to the cluster, by what was written and by result.", labels=("kind", "result")
    ),
    "updater_proposals_total": Metric(
        kind=Counter,
        text="Pull requests that the program opened, updated, merged or closed.",
        labels=("event",),
        begun=(("opened",), ("updated",), ("merged",), ("closed",)),
    ),
    "updater_forge_rate_limit_remaining": Metric(
        kind=Gauge,
        text="Requests that a forge still allows until its limit begins again, as its last answer said.",
        labels=("host",),
    ),
    "updater_notifications_total": Metric(
        kind=Counter,
        text="Messages of a route, by result: sent, failed (given up), or dropped because too many waited.",
        labels=("route", "result"),
    ),
    "updater_notification_retries_total": Metric(
        kind=Counter, text="Attempts to send a message that failed and are made again, by route.", labels=("route",)
    ),
    "updater_notifications_waiting": Metric(kind=Gauge, text="Messages that wait to be sent, by route.", labels=("route",)),
    "updater_watch_lost": Metric(
        kind=Gauge, text="1 while a kind cannot be watched; its last objects stay in force.", labels=("kind",)
    ),
    "updater_snapshot_timestamp_seconds": Metric(
        kind=Gauge, text="Time of the last snapshot of a source, in Unix time.", labels=("source",)
    ),
    "gotk_reconcile_duration_seconds": Metric(
        kind=Histogram,
        text="Duration of the last scan, selection or update for an image object of Flux, in seconds; the name is Flux's own.",
        labels=("kind", "name", "namespace"),
        buckets=_FLUX_SECONDS,
    ),
}

MOST_HOSTS: Final = 200
OTHER_HOSTS: Final = "other"
_OF_HOSTS: Final = (("host",), ("registry",))

PROCESS_METRICS: Final = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_start_time_seconds",
    "process_open_fds",
    "process_max_fds",
)
"""What every program that Prometheus scrapes exports about its process, on Linux, under the same names."""


class Metrics:
    """Counts what happens. Unknown names are a bug, shown in tests; nothing here raises for a value."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double every counter
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._collectors = {name: _collector(name, metric, self.registry) for name, metric in METRICS.items()}
        self._shown: dict[str, set[tuple[str, ...]]] = {}
        self._hosts: set[str] = set()
        for name, metric in METRICS.items():
            for labels in metric.begun:
                self._child(name, labels)

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        self._child(name, labels).inc(by)

    def set(self, name: str, *labels: str, to: float) -> None:
        """Set a gauge."""
        self._shown.setdefault(name, set()).add(labels)
        self._child(name, labels).set(to)

    def time(self, name: str, *labels: str, seconds: float) -> None:
        """Add one duration to a histogram."""
        self._shown.setdefault(name, set()).add(labels)
        self._child(name, labels).observe(seconds)

    def replace(self, name: str, values: Iterable[tuple[tuple[str, ...], float]]) -> None:
        """Set every series of a gauge at once; series not named disappear."""
        wanted = dict(values)
        self.keep(name, wanted)
        for labels, value in wanted.items():
            self.set(name, *labels, to=value)

    def keep(self, name: str, labels: Iterable[tuple[str, ...]]) -> None:
        """Let the series of a gauge or histogram disappear that are none of *labels*."""
        shown = self._shown.setdefault(name, set())
        for gone in shown.difference(labels):
            self._collectors[name].remove(*gone)
            shown.remove(gone)

    def request(self, host: str, status: int, seconds: float) -> None:
        """Count one request to a registry; handed to the HTTP room as its observer."""
        self.count("updater_registry_requests_total", host, str(status))
        self.time("updater_registry_request_seconds", host, seconds=seconds)

    def reconciled(self, kind: str, name: str, namespace: str, seconds: float) -> None:
        """Add how long the last work for an object of Flux took; handed to its feedback as its observer."""
        self.time("gotk_reconcile_duration_seconds", kind, name, namespace, seconds=seconds)

    def outcomes(self, outcomes: Iterable[Outcome], method: str) -> None:
        """Count how targets ended."""
        for outcome in outcomes:
            self.count("updater_outcomes_total", method, outcome.status.value)
            if outcome.code:
                self.count("updater_failures_total", outcome.code)

    def render(self) -> bytes:
        """Return the exposition text; 50,000 series take 0.65 s, so call it off the event loop."""
        text: bytes = generate_latest(self.registry)
        return text

    def _child(self, name: str, labels: tuple[str, ...]) -> Any:  # the caller knows the kind from the table
        collector = self._collectors[name]
        if METRICS[name].labels[:1] in _OF_HOSTS:
            labels = (self._host(labels[0]), *labels[1:])
        return collector.labels(*labels) if labels else collector

    def _host(self, host: str) -> str:
        """Return a host, or a word for all once there are very many: whoever writes an object names hosts, and a series stays."""
        if host not in self._hosts:
            if len(self._hosts) >= MOST_HOSTS:
                return OTHER_HOSTS
            self._hosts.add(host)
        return host


def _collector(name: str, metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind is Histogram:
        return Histogram(name, metric.text, metric.labels, buckets=metric.buckets, registry=registry)
    return metric.kind(name, metric.text, metric.labels, registry=registry)
