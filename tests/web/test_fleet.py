"""What the table of subscriptions promises: rows that are searched, filtered, sorted and paged, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from tests.inventory.asking import MAIN, asked
from tests.reporting.making import at, ended, failed, inventory, landed
from updater.model.candidate import Candidate
from updater.model.outcome import Status
from updater.model.report import SelectionMade
from updater.model.selection import Selection
from updater.model.subscription import Origin
from updater.model.written import Written
from updater.reporting.last_outcomes import LastOutcomes
from updater.reporting.plain import plain
from updater.web.fleet import RowQuery, page_of, table_of, with_statuses

KEYS = ("api", "shop/web", "web")


def heard(*reports):
    last = LastOutcomes()
    items = [asked(key, MAIN, image=f"r.test/{key}") for key in KEYS]
    items[0] = replace(items[0], origin=Origin(kind="file", name="updater.yaml", line=3))
    items[1] = replace(items[1], origin=Origin(kind="ImagePolicy", name="shop/web"))
    for report in (inventory(*items), *reports):
        last.hear(report)
    return last


def table(*reports):
    return table_of(heard(*reports).statuses())


def keys(found, **query):
    return [row.key for row in page_of(found, RowQuery(**query)).subscriptions]


def test_a_row_says_the_newest_allowed_tag_its_age_and_why_the_subscription_does_not_move():
    candidate = Candidate(tag="1.1.0", pushed=at(-10))
    selection = Selection(status="held", chosen=None, held=candidate, rejections={})
    held = ended("web", Status.HELD, "held by Jane", code="hold", hint="release it", opens_at=at(60))
    found = table(SelectionMade(subscription="web", written=Written(tag="1.0.0"), selection=selection, at=at()), landed(held))
    row = found.rows["web"]
    assert (row.newest, row.newest_at, row.state, row.held_by, row.hint) == ("1.1.0", at(-10), "held", "hold", "release it")
    assert (row.opens_at, row.source, row.namespace) == (at(60), "Application", "argocd")
    assert (found.rows["api"].source, found.rows["api"].namespace, found.rows["api"].state) == ("file", None, "unknown")


def test_rows_are_searched_in_key_and_image_and_filtered_by_state_source_and_namespace():
    found = table(landed(ended("web"), failed("api")))
    assert keys(found) == list(KEYS)
    assert keys(found, search=" R.TEST/Shop ") == ["shop/web"]
    assert keys(found, states=("failed", "unknown")) == ["api", "shop/web"]
    assert keys(found, sources=("file",)) == ["api"]
    assert keys(found, namespaces=("shop",)) == ["shop/web"]
    assert keys(found, keys=("*web",)) == ["shop/web", "web"]
    page = page_of(found, RowQuery(states=("failed",)))
    assert (page.total, page.states) == (1, {"failed": 1, "unchanged": 1, "unknown": 1})
    assert (page.sources, page.namespaces) == (("Application", "ImagePolicy", "file"), ("argocd", "shop"))


def test_pages_follow_each_other_in_the_order_that_is_asked_for():
    found = table(landed(ended("web", revision="a" * 40), minutes=5), landed(ended("api", revision="b" * 40), minutes=9))
    assert keys(found, sort="last_change", is_descending=True) == ["api", "web", "shop/web"]
    assert keys(found, limit=2) + keys(found, limit=2, offset=2) == list(KEYS)
    assert keys(found, limit=2, offset=200) == []


def test_what_changed_is_put_in_place_with_its_row_and_the_rest_stays():
    last = heard(landed(ended("web")))
    before = table_of(last.statuses(), version=1)
    last.hear(landed(failed("web")))
    after = with_statuses(before, last.statuses_of(("web",)), version=2)
    assert (after.version, after.rows["web"].state, before.rows["web"].state) == (2, "failed", "unchanged")
    assert after.rows["api"] is before.rows["api"]
    assert after.statuses == {status.key: status for status in last.statuses()}
    assert plain(after.statuses["web"].row())["state"] == "failed"
