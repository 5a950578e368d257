"""What the page promises over HTTP: it reads without scripts, fetches nothing from outside, and shows texts as texts."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from importlib.resources import files

import pytest

from tests.web.shown import HOSTILE, NOW, canary, fleet, row
from tests.web.site import opened
from updater.web.page.rendering import ago, row_id, version_of, web_link

PATIENCE = 30.0
ROW = re.compile(r'<tr id="row-')


def keys(text):
    return re.findall(r'<th role="rowheader" scope="row"><a href="[^"]*">([^<]*)</a>', text)


async def test_the_fleet_is_a_table_that_reads_without_scripts(site):
    status, text, headers = await site.get("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert keys(text) == [f"app-{number:04}" for number in range(24)]
    for words in ("1.4.2", "1.4.3", "held", "min-age", "5 d ago", "unknown key", "40 of 100 requests left", "no answer"):
        assert words in text


async def test_the_form_filters_and_searches_without_scripts(site):
    _, text, _ = await site.get("/?q=&state=held&source=&namespace=shop&sort=key")
    assert keys(text) == ["app-0002", "app-0010"]
    assert "<option selected>held</option>" in text
    _, text, _ = await site.get("/?q=APP-0003")
    assert keys(text) == ["app-0003"]
    _, text, _ = await site.get("/?q=nobody")
    assert "No subscription matches" in text


async def test_times_are_sorted_newest_first(site):
    _, text, _ = await site.get("/?sort=newest_at")
    assert keys(text)[0] == "app-0000"


@pytest.mark.parametrize("path", ["/", "/subscriptions/app-0001", "/subscriptions/none"])
async def test_a_page_holds_no_script_or_style_of_its_own_and_names_no_other_host(site, path):
    _, text, headers = await site.get(path)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert all(tag.startswith('<script src="/static/') for tag in re.findall(r"<script[^>]*>", text))
    loaded = re.findall(r'(?:src|href|action|hx-get|sse-connect)="([^"]*)"', text)
    assert [link for link in loaded if not link.startswith(("/", "#", "https://git.test/"))] == []


@pytest.mark.parametrize("path", ["/", "/subscriptions/{key}", "/rows", "/parts/health"])
async def test_texts_of_others_are_shown_as_texts(shown, path):
    hostile = row("<b>key", image=HOSTILE, state="held", reason=HOSTILE, newest=HOSTILE, written=(HOSTILE,), code=HOSTILE)
    shown.rows = {"<b>key": hostile}
    shown.happens("<b>key")
    async with opened(shown) as site:
        status, text, _ = await site.get(path.format(key="%3Cb%3Ekey"))
    assert status == 200
    assert "<img src=x" not in text
    assert "<script>" not in text
    assert "<b>key" not in text


async def test_a_link_that_a_browser_would_run_is_no_link():
    assert web_link("https://git.test/x") == "https://git.test/x"
    for link in ("javascript:alert(1)", "data:text/html,x", "//host", "https:", "http://[", None, ""):
        assert web_link(link) is None


async def test_passwords_and_control_characters_are_not_shown(shown):
    shown.rows = {"web": row("web", state="failed", reason="https://user:secret@git.test refused\x1b[31m")}
    async with opened(shown) as site:
        _, text, _ = await site.get("/")
    assert "secret" not in text
    assert "\x1b" not in text


async def test_five_thousand_subscriptions_are_shown_a_window_at_a_time_and_each_is_reached():
    async with opened(fleet(5000)) as site:
        _, text, _ = await site.get("/")
        assert len(gzip.compress(text.encode())) < 300 * 1024
        seen, following = keys(text), re.search(r'hx-get="(/rows[^"]*)"', text)
        assert '<a href="/?offset=100">' in text  # the same without scripts
        while following:
            _, text, _ = await site.get(unescape(following[1]))
            seen += keys(text)
            following = re.search(r'hx-get="(/rows[^"]*)"', text)
    assert seen == [f"app-{number:04}" for number in range(5000)]


async def test_the_rows_that_follow_keep_the_filter():
    async with opened(fleet(1000)) as site:
        _, text, _ = await site.get("/?state=held")
        (following,) = re.findall(r'hx-get="(/rows[^"]*)"', text)
        _, text, _ = await site.get(unescape(following))
    assert len(keys(text)) == 25
    assert text.count("state-held") == 25


async def test_a_subscription_tells_ladder_places_gates_and_history(site):
    _, text, _ = await site.get("/subscriptions/app-0001")
    for words in ("<svg", "images[0].newTag", "#L6", "opens", "held by Ada: audit", "Update web to 1.4.3", "a fault", "reverted"):
        assert words in text


async def test_a_canary_under_way_is_told_with_its_steps_the_share_of_traffic_and_what_it_waits_for(site):
    _, text, _ = await site.get("/subscriptions/app-0000")
    assert "Canary: step 2 of 4, 20 % of traffic: paused until somebody promotes it" in text
    steps = re.findall(r'<li class="(done|now|next)"( aria-current="step")?>([^<]*)', text)
    assert [(kind, bool(current), words.strip()) for kind, current, words in steps] == [
        ("done", False, "set weight 20"),
        ("now", True, "pause until promoted"),
        ("next", False, "set weight 60"),
        ("next", False, "pause 10m"),
    ]
    _, text, _ = await site.get("/?q=app-0000")
    assert re.search(r"verdict-progressing.*2/4", text)
    _, found, _ = await site.get("/api/v1/subscriptions/app-0000")
    assert found["release"]["progress"] == found["row"]["progress"]
    assert (found["row"]["progress"]["step"], found["row"]["progress"]["plan"][2]) == (2, "set weight 60")


async def test_words_of_a_canary_are_shown_as_texts(shown):
    shown.rows["app-0000"] = row("app-0000", progress=canary(words=HOSTILE, plan=(HOSTILE, "b")))
    async with opened(shown) as site:
        _, text, _ = await site.get("/subscriptions/app-0000")
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


async def test_what_is_not_there_is_told_as_a_page(site):
    status, text, _ = await site.get("/subscriptions/none")
    assert status == 404
    assert "did you mean &#39;web&#39;?" in text
    status, text, _ = await site.get("/?sort=nonsense")
    assert status == 400
    assert "sort is one of" in text


async def test_a_follower_says_that_it_does_not_lead():
    shown = fleet()
    shown.replica = replace(shown.replica, is_leader=False, leader="http://10.0.0.1:8090")
    async with opened(shown) as site:
        _, text, _ = await site.get("/")
    assert "does not lead" in text
    assert "http://10.0.0.1:8090" in text


def test_the_files_of_others_are_those_of_their_releases():
    folder = files("updater.web.page").joinpath("static")
    rows = re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|", folder.joinpath("README.md").read_text(), re.MULTILINE)
    assert {name: hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() for name, _ in rows} == dict(rows)
    ours = {"README.md", "page.css", "page.js", "icon.svg"}
    assert {item.name for item in folder.iterdir()} == {name for name, _ in rows} | ours


async def test_a_file_is_kept_by_browsers_until_it_changes(site):
    _, text, _ = await site.get("/")
    (address,) = re.findall(r'href="(/static/page\.css[^"]*)"', text)
    status, _, headers = await site.get(address)
    assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    status, _, _ = await site.get(address, headers={"If-None-Match": headers["ETag"]})
    assert status == 304
    status, _, headers = await site.get("/static/page.css?v=old")
    assert headers["Cache-Control"] == "no-cache"
    for name in ("../routes.py", "%2e%2e/routes.py", "routes.py", "README.md"):
        assert (await site.get(f"/static/{name}"))[0] == 404


async def told(site, path, happen, *wanted):
    """Follow *path* until all *wanted* were sent, and return what was."""
    async with asyncio.timeout(PATIENCE), site.session.get(f"{site.base}{path}") as answer:
        text = ""
        while "event: hello" not in text:
            text += (await answer.content.readany()).decode()
        happen()
        while not all(words in text for words in wanted):
            text += (await answer.content.readany()).decode()
        return text


async def test_what_changes_is_sent_as_the_row_the_news_and_the_counts(shown, site):
    name = row_id("app-0001")
    text = await told(
        site,
        "/live",
        lambda: shown.happens("app-0001", state="failed", reason=HOSTILE),
        f"event: {name}\n",
        "event: news\n",
        "event: counts\n",
    )
    assert "<img src=x" not in text
    assert all(re.match(r"(id|event|data|retry): ?|$", line) for line in text.split("\n"))


async def test_the_page_of_a_subscription_is_told_of_its_own_news_alone(shown, site):
    def happen():
        shown.happens("app-0002", state="failed")
        shown.happens("app-0001", state="failed")

    text = await told(site, "/live?key=app-0001", happen, "event: changed\n")
    assert "app-0002" not in text
    assert row_id("app-0002") not in text


async def test_a_page_misses_nothing_between_its_making_and_its_stream(shown, site):
    _, text, _ = await site.get("/")
    (stream,) = re.findall(r'sse-connect="([^"]*)"', text)
    shown.happens("app-0001", state="failed")
    await told(site, stream, lambda: None, f"event: {row_id('app-0001')}\n")


async def test_more_changes_than_a_page_shows_are_told_as_one():
    shown = fleet(500)

    def happen():
        for key in list(shown.rows):
            shown.happens(key, state="failed")

    async with opened(shown) as site:
        text = await told(site, "/live", happen, "event: reset\n")
    assert "event: row-" not in text


async def test_pages_that_are_told_the_same_share_what_was_made(shown, monkeypatch):
    asked = []
    rows_of = shown.rows_of

    async def counted(wanted):
        asked.append(tuple(wanted))
        return await rows_of(wanted)

    shown.rows_of = counted
    async with opened(shown) as site:
        ready = 0

        async def follow():
            nonlocal ready
            async with site.session.get(f"{site.base}/live") as answer:
                text = (await answer.content.readany()).decode()
                ready += 1
                if ready == 20:
                    shown.happens("app-0001", state="failed")
                while "event: counts" not in text:
                    text += (await answer.content.readany()).decode()

        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(follow() for _ in range(20)))
    assert asked == [("app-0001",)]


@pytest.mark.parametrize(
    ("written", "told_as"),
    [
        ("r.test:5000/acme/web:1.2", "1.2"),
        ("1.2", "1.2"),
        ("r.test/web@sha256:" + "a" * 64, "a" * 12),
        ("r.test/web:1@sha256:" + "b" * 64, "1@" + "b" * 12),
        ("r.test:5000/web", "r.test:5000/web"),
    ],
)
def test_a_version_is_what_changes_of_an_image(written, told_as):
    assert version_of(written) == told_as


def test_moments_are_told_in_the_largest_span_that_fits():
    spans = [timedelta(days=2), timedelta(hours=3), timedelta(minutes=59), timedelta(seconds=2), timedelta(), timedelta(hours=-2)]
    assert [ago(NOW - span, NOW) for span in spans] == ["2 d ago", "3 h ago", "59 min ago", "2 s ago", "now", "in 2 h"]
