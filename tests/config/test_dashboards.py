"""The dashboard and the alerts speak only of metrics that there are, with labels that they have, and each says what to do."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Histogram

from tests.config.promql import TARGET_LABELS, Judge, Series, Wrong, parse, selectors
from updater.model.outcome import Status
from updater.reporting.metrics import METRICS, PROCESS_METRICS

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "config/grafana/dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ROOT / "config/prometheus/alerts.yaml").read_text(encoding="utf-8"))
PANELS = DASHBOARD["panels"]
GRAPHS = [panel for panel in PANELS if panel["type"] != "row"]
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PAGE = (ROOT / "docs/how-to/monitor.md").read_text(encoding="utf-8")

# metrics that no panel draws, each with the reason
UNDRAWN: dict[str, str] = {}
SEVERITIES = {"critical", "warning", "info"}


def known() -> dict[str, Series]:
    """Give every name that Prometheus would have, as the exposition spells it."""
    found = {"up": Series("gauge")}
    for name in PROCESS_METRICS:
        found[name] = Series("counter" if name.endswith("_total") else "gauge")
    for name, metric in METRICS.items():
        labels = frozenset(metric.labels)
        if metric.kind is Histogram:
            found[f"{name}_bucket"] = Series("counter", labels | {"le"})
            found |= dict.fromkeys((f"{name}_sum", f"{name}_count"), Series("counter", labels))
        else:
            found[name] = Series("counter" if metric.kind is Counter else "gauge", labels)
    return found


def plain(expression: str) -> str:
    """Put values where Grafana puts its own."""
    return expression.replace("$__rate_interval", "5m").replace("$__range", "6h")


def asked() -> list[tuple[str, str, str]]:
    """Give every expression of the dashboard: where it stands, itself, and the legend."""
    drawn = [(panel["title"], target["expr"], target["legendFormat"]) for panel in GRAPHS for target in panel["targets"]]
    noted = [(item["name"], item["expr"], item["textFormat"]) for item in DASHBOARD["annotations"]["list"]]
    return drawn + noted


def codes() -> set[str]:
    document = tomllib.loads((ROOT / "docs/reference/codes.toml").read_text(encoding="utf-8"))
    return {code for group in document["group"] for code in group["codes"]}


@pytest.mark.parametrize(("place", "expression", "legend"), asked())
def test_what_is_drawn_is_there_and_the_legend_names_its_labels(place, expression, legend):
    labels = Judge(known()).labels(plain(expression))
    assert set(re.findall(r"{{(\w+)}}", legend)) <= labels
    for selector in selectors(parse(plain(expression))):
        names = {label: value for label, _, value in selector.matchers}
        if names:
            assert names["namespace"] == "$namespace"
            assert names["job"] == "$job"


def test_every_metric_is_drawn_or_says_why_not():
    judge = Judge(known())
    for _, expression, _ in asked():
        judge.labels(plain(expression))
    drawn = {re.sub(r"_(bucket|sum|count)$", "", name) for name in judge.used}
    assert set(METRICS) - drawn == set(UNDRAWN)
    assert all(UNDRAWN.values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_says_how_bad_it_is_and_where_to_read_on(rule):
    labels = Judge(known()).labels(rule["expr"])
    if rule["expr"].startswith("absent("):
        labels = frozenset()
    assert re.fullmatch(r"\d+[mhd]", rule["for"])
    assert rule["labels"]["severity"] in SEVERITIES
    texts = rule["annotations"]
    assert set(texts) == {"summary", "description", "runbook_url"}
    assert set(re.findall(r"\$labels\.(\w+)", f"{texts['summary']} {texts['description']}")) <= labels
    assert texts["description"].endswith(".")
    assert not texts["summary"].endswith(".")
    assert texts["runbook_url"] == f"docs/how-to/monitor.md#{rule['alert'].lower()}"
    assert f"\n### {rule['alert']}\n" in PAGE


def test_alerts_have_names_of_their_own_and_the_page_has_no_other():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    assert re.findall(r"^### (Updater\w+)$", PAGE, re.MULTILINE) == names


def test_values_that_are_compared_with_are_words_of_the_program():
    """A misspelt code would keep an alert silent for ever."""
    statuses, words = {status.value for status in Status}, codes()
    for expression in [rule["expr"] for rule in RULES] + [plain(text) for _, text, _ in asked()]:
        for selector in selectors(parse(expression)):
            for label, _, value in selector.matchers:
                values = set(value.split("|"))
                if label == "code":
                    assert values <= words
                elif selector.name == "updater_outcomes_total" and label == "status":
                    assert values <= statuses
                elif selector.name == "updater_scans_total" and label == "result":
                    assert values <= words | {"ok"}


def test_an_alert_on_what_happens_once_asks_for_series_that_are_there_before():
    """Prometheus sees no increase where a series begins with 1."""
    at_once = [rule for rule in RULES if rule["for"] == "0m"]
    assert at_once
    for selector in (item for rule in at_once for item in selectors(parse(rule["expr"])) if item.name in METRICS):
        metric = METRICS[selector.name]
        values = dict.fromkeys(metric.labels, "") | {label: value for label, _, value in selector.matchers}
        assert metric.kind is not Counter or tuple(values[label] for label in metric.labels) in metric.begun, selector.name


def test_panels_stand_side_by_side_in_the_order_of_the_file():
    places = [(panel["title"], panel["gridPos"]) for panel in PANELS]
    for (title, one), (other_title, other) in itertools.combinations(places, 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_below, f"{title} lies over {other_title}"
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for _, place in places)
    order = [(place["y"], place["x"]) for _, place in places]
    assert order == sorted(order)


def test_no_line_of_panels_has_a_gap():
    widths: dict[int, int] = {}
    for panel in PANELS:
        widths[panel["gridPos"]["y"]] = widths.get(panel["gridPos"]["y"], 0) + panel["gridPos"]["w"]
    assert set(widths.values()) == {24}


@pytest.mark.parametrize("panel", GRAPHS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit_and_asks_the_chosen_data_source(panel):
    assert len(panel["description"]) > 10
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"].get("unit") or panel["type"] == "table"
    assert panel["datasource"]["uid"] == "${datasource}"
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


def test_the_dashboard_can_be_imported_anywhere():
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["id"] is None
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "namespace", "job"]
    numbers = [panel["id"] for panel in PANELS]
    assert len(set(numbers)) == len(numbers)
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)


def test_its_variables_ask_for_metrics_that_there_are():
    for variable in DASHBOARD["templating"]["list"][1:]:
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
        assert label in Judge(known()).labels(selector)
        assert variable["allValue"] == ".*"  # a target without a namespace is shown too


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("updater_nonsense", "no metric is called"),
        ("sum(updater_leader", "is wanted"),
        ("sum(updater_leader))", "is wanted"),
        ("rate(updater_leader[5m])", "is a gauge"),
        ("sum(updater_commits_total)", "is a counter"),
        ("rate(updater_commits_total)", "takes"),
        ("rate(updater_landing_seconds[5m])", "no metric is called"),
        ('rate(updater_commits_total{kind="x"}[5m])', "has no label kind"),
        ("sum by (host) (updater_leader)", "grouped by host"),
        ("histogram_quantile(0.9, sum by (host) (rate(updater_registry_request_seconds_bucket[5m])))", "lost their le"),
        ("updater_problems > updater_leader", "never meet"),
        ("updater_problems and on (kind) updater_leader", "matched on kind"),
        ("updater_leader and 1", "takes no number"),
        ("updater_leader[5m]", "nothing to draw"),
        ("updater_leader[5m] + 1", "takes no range"),
        ("time()", "nothing to draw"),
        ("deriv(updater_leader[5m])", "is not known here"),
        ("topk(updater_leader, 5)", "takes"),
        ('updater_leader{job="a" namespace="b"}', "is wanted"),
        ('updater_leader{job=="a"}', "matches no label"),
        ("updater_leader @ 5", "cannot be read"),
        ("and updater_leader", "begins no expression"),
        ("updater_leader ==", "begins no expression"),
    ],
)
def test_what_cannot_be_asked_is_found(text, why):
    with pytest.raises(Wrong, match=why):
        Judge(known()).labels(text)


def test_operators_bind_as_in_prometheus():
    assert parse("a - b > 1 and c or d") == parse("(((a - b) > 1) and c) or d")
    assert parse("a unless b and on (job) c == 1") == parse("(a unless b) and on (job) (c == 1)")
    assert parse("a - b - c * d") == parse("(a - b) - (c * d)")


def test_target_labels_are_those_that_every_scraped_series_has():
    assert {"namespace", "job", "instance"} == TARGET_LABELS
