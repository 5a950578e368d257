"""Generate the page of metrics from the table of their names."""

from __future__ import annotations

from typing import Final

from pages.prose import wrapped
from updater.reporting.metrics import METRICS, PROCESS_METRICS

_HEAD: Final = """# Metrics

Generated from the code by `docs/generate.py`. `updater run` serves the metrics at `/metrics` of `listen.metrics`, in
the Prometheus text format, next to `/healthz` (the process works), `/readyz` (the configuration is in force and its
schedule runs) and `/api/v1/status` (the state of each subscription as JSON).

Labels never contain tags, digests or paths, so a release adds no series. `code` is one of the [codes](errors.md),
`status` of outcomes one of the [outcomes](outcomes.md). [Monitor](../how-to/monitor.md) has alerts and a dashboard.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Return the reference of all metrics, a row each."""
    rows = []
    for name, metric in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        rows.append(f"| `{name}` | {metric.kind.__name__.lower()} | {labels} | {metric.text} |\n")
    names = ", ".join(f"`{name}`" for name in PROCESS_METRICS)
    return _HEAD + "".join(rows) + f"\n{wrapped(f'On Linux, the process also has: {names}.')}\n"
