"""Promises about series that others could make without end."""

from __future__ import annotations

from updater.reporting.metrics import MOST_HOSTS, Metrics


def test_hosts_that_objects_name_make_no_series_without_end():
    metrics = Metrics()
    for number in range(MOST_HOSTS + 50):
        metrics.request(f"h{number}.test", 200, 0.1)
        metrics.count("updater_scans_total", f"h{number}.test", "ok")
    metrics.request("h0.test", 200, 0.1)
    lines = metrics.render().decode().splitlines()
    requests = [line for line in lines if line.startswith("updater_registry_requests_total{")]
    assert len(requests) == MOST_HOSTS + 1
    assert 'updater_registry_requests_total{host="other",status="200"} 50.0' in requests
    assert 'updater_registry_requests_total{host="h0.test",status="200"} 2.0' in requests
    assert sum(line.startswith("updater_scans_total{") for line in lines) == MOST_HOSTS + 1
