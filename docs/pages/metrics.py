"""How the page of metrics is made, from the one table of their names."""

from __future__ import annotations

from typing import Final

from updater.reporting.metrics import METRICS, PROCESS_METRICS

_HEAD: Final = """# Metrics

Generated from the code by `docs/generate.py`. `updater run` serves them at `/metrics` of `listen.metrics`, as Prometheus text.
Beside them are `/healthz` (the process lives), `/readyz` (the configuration is in force and its schedule runs) and
`/api/v1/status` (where each subscription stands, as JSON; `updater status --server` reads it).

Labels never hold tags, digests or paths: no series is born with a release. `code` is a word of [codes](errors.md),
`status` of outcomes a word of [outcomes](outcomes.md). Alerts and a dashboard over them:
[Monitor it](../how-to/monitor.md).

| metric | kind | labels | tells |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Return the reference of all metrics, a row each."""
    rows = []
    for name, metric in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        rows.append(f"| `{name}` | {metric.kind.__name__.lower()} | {labels} | {metric.text} |\n")
    names = ", ".join(f"`{name}`" for name in PROCESS_METRICS)
    return _HEAD + "".join(rows) + f"\nOn Linux also, of the process: {names}.\n"
