"""What the API promises to those who read: rows, one subscription in full, health; and to whom it does not answer."""

from __future__ import annotations

import pytest

from tests.web.site import FleetByHand, opened
from updater.web.fleet import FleetRow

ROWS = (
    FleetRow(key="shop/web", image="r.test/web", state="held", reason="<b>user:pass@host</b>\x1b[31m"),
    FleetRow(key="web", image="r.test/web", state="updated", written=("r.test/web:1",)),
)


@pytest.fixture
async def site():
    async with opened(FleetByHand(*ROWS)) as found:
        yield found


async def test_rows_are_paged_filtered_and_counted(site):
    status, page, headers = await site.get("/api/v1/subscriptions?state=held&limit=1")
    assert (status, page["total"], [row["key"] for row in page["subscriptions"]]) == (200, 1, ["shop/web"])
    assert (page["states"], headers["X-Updater-Leader"]) == ({"held": 1, "updated": 1}, "true")


async def test_no_text_of_others_reaches_the_answer_with_control_characters(site):
    _, page, _ = await site.get("/api/v1/subscriptions?q=shop")
    assert page["subscriptions"][0]["reason"] == "<b>user:pass@host</b>\\x1b[31m"


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=9999999", "sort=secret", "order=up", "colour=red", "offset=¹"])
async def test_a_parameter_that_cannot_be_read_is_refused_with_what_can(site, query):
    status, body, _ = await site.get(f"/api/v1/subscriptions?{query}")
    assert status == 400
    assert body["error"]["hint"]


async def test_what_has_not_changed_is_not_sent_again(site):
    _, _, headers = await site.get("/api/v1/subscriptions")
    status, body, again = await site.get("/api/v1/subscriptions", headers={"If-None-Match": headers["ETag"]})
    assert (status, body, again["ETag"]) == (304, "", headers["ETag"])


@pytest.mark.parametrize("path", ["shop/web", "shop%2Fweb"])
async def test_a_key_with_a_slash_names_its_subscription(site, path):
    status, body, _ = await site.get(f"/api/v1/subscriptions/{path}")
    assert (status, body["row"]["key"]) == (200, "shop/web")


async def test_an_unknown_key_is_told_with_the_nearest(site):
    status, body, _ = await site.get("/api/v1/subscriptions/wbe")
    assert (status, body["error"]["code"], body["error"]["hint"]) == (404, "unknown-key", "did you mean 'web'?")


async def test_every_answer_forbids_browsers_what_the_page_does_not_need(site):
    for path in ("/api/v1/health", "/api/v1/subscriptions/none", "/nowhere"):
        _, _, headers = await site.get(path)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "user@localhost", "", "localhost:x"])
async def test_on_loopback_no_other_host_name_is_answered(site, host):
    """A page of another site may resolve its own name to 127.0.0.1."""
    status, body, _ = await site.get("/api/v1/health", headers={"Host": host})
    assert status in {400, 421}
    assert "version" not in str(body)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "[::1]:80", "127.0.0.1"])
async def test_the_names_of_loopback_are_answered(site, host):
    assert (await site.get("/api/v1/health", headers={"Host": host}))[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "", "10.0.0.1", "updater.example.org"])
async def test_beyond_loopback_nothing_is_told_without_users(host):
    async with opened(FleetByHand(*ROWS), host=host) as site:
        for path in ("/api/v1/subscriptions", "/api/v1/events", "/api/v1/health", "/"):
            status, body, _ = await site.get(path)
            assert (status, body["error"]["code"]) == (403, "no-users")


async def test_a_replica_that_waits_says_so():
    async with opened(FleetByHand(*ROWS, is_leader=False)) as site:
        _, body, headers = await site.get("/api/v1/health")
        assert (headers["X-Updater-Leader"], body["replica"]["is_leader"]) == ("false", False)


async def test_a_method_that_is_not_served_changes_nothing(site):
    async with site.session.request("DELETE", f"{site.base}/api/v1/subscriptions/web") as answer:
        assert answer.status == 405
    assert (await site.post("/api/v1/subscriptions"))[0] == 405


@pytest.mark.parametrize("path", ["/api/v1/subscriptions", "/api/v1/status"])
async def test_many_keys_are_looked_up_and_more_globs_than_ten_are_refused(site, path):
    query = [("key", "web"), *(("key", f"none-{number}") for number in range(90))]
    status, body, _ = await site.get(path, params=[*query, *(("key", f"g{number}*") for number in range(9))])
    assert (status, [row["key"] for row in body["subscriptions"]]) == (200, ["web"])
    status, body, _ = await site.get(path, params=[("key", f"{number}*") for number in range(11)])
    assert (status, body["error"]["code"]) == (400, "bad-parameter")
