"""What the metrics promise: every name is in one table, and series that are over disappear."""

from __future__ import annotations

from pathlib import Path

import pytest

from updater.model.outcome import Outcome, Status
from updater.reporting.metrics import METRICS, PROCESS_METRICS, Metrics


def test_every_metric_of_the_table_is_served_with_its_help():
    text = Metrics().render().decode()
    for name, metric in METRICS.items():
        assert f"# HELP {name.removesuffix('_total')}" in text, name
        assert metric.text.split(",", maxsplit=1)[0] in text


def test_a_name_outside_the_table_is_a_bug():
    with pytest.raises(KeyError):
        Metrics().count("updater_nonsense_total")


def test_replacing_a_gauge_removes_the_series_that_are_over():
    metrics = Metrics()
    metrics.replace("updater_subscriptions", [(("file",), 3.0), (("flux",), 1.0)])
    metrics.replace("updater_subscriptions", [(("file",), 4.0)])
    text = metrics.render().decode()
    assert 'updater_subscriptions{source="file"} 4.0' in text
    assert "flux" not in text


def test_outcomes_are_counted_by_method_and_status_and_failures_by_code():
    metrics = Metrics()
    ends = (
        Outcome(key="a", target="t", status=Status.UPDATED, detail=""),
        Outcome(key="b", target="t", status=Status.FAILED, detail="", code="rate-limited"),
    )
    metrics.outcomes(ends, "git")
    text = metrics.render().decode()
    assert 'updater_outcomes_total{method="git",status="updated"} 1.0' in text
    assert 'updater_failures_total{code="rate-limited"} 1.0' in text


def test_requests_are_counted_and_timed_by_host():
    metrics = Metrics()
    metrics.request("ghcr.io", 429, 0.2)
    text = metrics.render().decode()
    assert 'updater_registry_requests_total{host="ghcr.io",status="429"} 1.0' in text
    assert 'updater_registry_request_seconds_count{host="ghcr.io"} 1.0' in text


def test_no_label_names_a_tag_or_a_path():
    assert not {label for metric in METRICS.values() for label in metric.labels} & {"tag", "digest", "path", "revision"}


def test_every_metric_has_its_line_in_the_reference():
    page = Path("docs/reference/metrics.md").read_text(encoding="utf-8")
    assert [name for name in METRICS if f"`{name}`" not in page] == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="what a process costs is read from /proc")
def test_what_the_process_costs_is_served_under_the_usual_names():
    text = Metrics().render().decode()
    assert [name for name in PROCESS_METRICS if f"\n{name} " not in text] == []


def test_what_may_happen_once_is_served_as_0_before_so_that_its_first_time_is_an_increase():
    metrics = Metrics()
    assert 'updater_reloads_total{result="refused"} 0.0' in metrics.render().decode()
    metrics.count("updater_reloads_total", "refused")
    text = metrics.render().decode()
    assert 'updater_reloads_total{result="refused"} 1.0' in text
    assert 'updater_failures_total{code="bug"} 0.0' in text


def test_durations_for_objects_of_flux_have_its_name_and_buckets_and_go_with_their_objects():
    metrics = Metrics()
    assert b"gotk_reconcile_duration_seconds_bucket" not in metrics.render()
    metrics.reconciled("ImagePolicy", "web", "team", 0.5)
    text = metrics.render().decode()
    bounds = [line for line in text.splitlines() if line.startswith("gotk_reconcile_duration_seconds_bucket")]
    assert len(bounds) == 11
    assert 'kind="ImagePolicy",le="0.01",name="web",namespace="team"' in bounds[0]
    assert 'le="1800.0"' in bounds[9]
    metrics.keep("gotk_reconcile_duration_seconds", [])
    assert b"gotk_reconcile_duration_seconds_bucket" not in metrics.render()
