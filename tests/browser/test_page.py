"""What a person meets at the page, in a real Chromium: flows with clicks and keys, live updates, hostile texts, every width."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.browser.driver import ENTER, PATIENCE, TAB
from tests.web.shown import HOSTILE, canary, fleet, row
from tests.web.site import opened
from updater.web.events import EventLog
from updater.web.page.live import MOST_ROWS
from updater.web.page.rendering import row_id

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("browser")]
AXE = "axe-4.14.1.min.js"
SERIOUS = {"serious", "critical"}
IS_LIVE = "document.getElementById('connection').textContent === 'live'"
FOUND = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations.map(
  item => [item.impact, item.id, item.nodes.map(node => node.target.join(' ') + ': ' + node.failureSummary).join('; ')])));
"""


def axe():
    """Return the source of axe; the test is skipped without it, and fails where nothing may be skipped."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = os.environ.get("UPDATER_REAL_PARTS") or caches / "updater-real-parts" / "bin"
    path = Path(folder) / AXE
    if not path.exists():
        if os.environ.get("UPDATER_REQUIRE_REAL"):
            pytest.fail(f"{path} is needed: .ci/parts axe")
        pytest.skip("axe is not here: .ci/parts axe")
    return path.read_text()


def keys():
    return "[...document.querySelectorAll('.fleet tbody th a')].map(link => link.textContent).join(' ')"


def state_of(key):
    return f"document.querySelector('#{row_id(key)} .state').textContent"


async def test_a_person_searches_opens_a_subscription_and_comes_back(browser, site):
    await browser.open(f"{site.base}/")
    await browser.until(IS_LIVE)
    await browser.press("/")
    await browser.press(*"0003")
    await browser.until(f"{keys()} === 'app-0003'")
    assert "q=0003" in await browser.run("return location.search")
    await browser.click(f"#{row_id('app-0003')} th a")
    await browser.until("document.querySelector('h1').textContent === 'app-0003'")
    assert "1.5.0 must be 3d old" in await browser.text("#subscription")
    await browser.call("POST", "/back")
    await browser.until(f"{keys()} === 'app-0003'")
    assert await browser.complaints() == []


async def test_the_filter_is_followed_without_loading_the_page_again(browser, site):
    await browser.open(f"{site.base}/")
    await browser.until(IS_LIVE)
    await browser.run("window.same = true")
    await browser.click("#state option[value=''] ~ option:nth-of-type(3)")
    await browser.until(f"{keys()} === 'app-0002 app-0010 app-0018'")
    assert await browser.run("return window.same")
    await browser.click(".counts a[aria-current]")
    await browser.until(f"{keys()}.split(' ').length === 24")


async def test_a_page_reads_by_the_keyboard_alone(browser, site):
    await browser.open(f"{site.base}/")
    await browser.press(TAB, ENTER)
    await browser.until("document.activeElement.id === 'main'")
    seen = []
    for _ in range(20):
        await browser.press(TAB)
        seen.append(await browser.run("return document.activeElement.id || document.activeElement.textContent"))
    assert "search" in seen
    assert "app-0000" in seen


async def test_what_happens_is_seen_without_a_reload(browser, site, shown):
    await browser.open(f"{site.base}/")
    await browser.until(IS_LIVE)
    shown.happens("app-0001", state="failed", reason="the push was refused")
    await browser.until(f"{state_of('app-0001')} === 'failed'")
    await browser.until("document.querySelector('#events').textContent.includes('the push was refused')")
    await browser.until("document.querySelector('.counts .state-failed + b').textContent === '4'")
    shown.happens("app-0001", state="updated", reason=None)
    await browser.until(f"{state_of('app-0001')} === 'updated'")
    assert await browser.complaints() == []


async def test_a_page_asks_anew_when_too_much_happened_at_once(browser):
    shown = fleet(MOST_ROWS + 1)
    async with opened(shown) as site:
        await browser.open(f"{site.base}/")
        await browser.until(IS_LIVE)
        await browser.run("window.same = true")
        for key in tuple(shown.rows):  # nothing else runs between these: they are told together
            shown.happens(key, state="failed")
        await browser.until(f"{state_of('app-0001')} === 'failed'")
        await browser.until(f"document.querySelector('.counts .state-failed + b').textContent === '{MOST_ROWS + 1}'")
        assert await browser.run("return window.same")
        assert await browser.complaints() == []


async def test_an_open_subscription_asks_anew_when_more_happened_than_is_kept(browser):
    shown = fleet()
    shown.events = EventLog(most=5)
    async with opened(shown) as site:
        await browser.open(f"{site.base}/subscriptions/app-0001")
        await browser.until(IS_LIVE)
        shown.happens("app-0001", state="failed", reason="the push was refused")
        for _ in range(10):
            shown.happens("app-0002")
        await browser.until("document.querySelector('#subscription').textContent.includes('the push was refused')")
        assert await browser.complaints() == []


async def test_a_paused_page_stands_still_and_then_shows_everything(browser, site, shown):
    await browser.open(f"{site.base}/")
    await browser.until(IS_LIVE)
    await browser.click("#pause")
    await browser.until("document.getElementById('connection').textContent === 'paused'")
    shown.happens("app-0001", state="failed")
    await browser.until("document.body.dataset.missed === 'yes'")
    assert await browser.run(f"return {state_of('app-0001')}") == "unchanged"
    assert await browser.run("return document.getElementById('pause').textContent") == "Resume view"  # images are not paused
    await browser.click("#pause")
    await browser.until("document.getElementById('pause').textContent === 'Pause this view'")
    await browser.until(f"{state_of('app-0001')} === 'failed'")


async def test_an_open_subscription_follows_its_own_news(browser, site, shown):
    await browser.open(f"{site.base}/subscriptions/app-0001")
    await browser.until(IS_LIVE)
    shown.happens("app-0001", state="failed", reason="the push was refused")
    await browser.until("document.querySelector('#subscription').textContent.includes('the push was refused')")


async def test_an_open_subscription_follows_its_canary_step_by_step(browser, site, shown):
    now = "document.querySelector('.steps [aria-current=step]')?.textContent"
    await browser.open(f"{site.base}/subscriptions/app-0000")
    await browser.until(IS_LIVE)
    await browser.until(f"{now} === 'pause until promoted'")
    shown.happens("app-0000", progress=canary(3, weight=60, words="set weight 60"))
    await browser.until(f"{now} === 'set weight 60'")
    await browser.until("document.querySelector('.canary').textContent.includes('step 3 of 4, 60 % of traffic')")


async def test_a_page_whose_server_restarts_says_so_and_goes_on(browser, shown):
    async with opened(shown) as site:
        port = int(site.base.rpartition(":")[2])
        await browser.open(f"{site.base}/")
        await browser.until(IS_LIVE)
    await browser.until("document.getElementById('connection').textContent === 'reconnecting'")
    shown.happens("app-0001", state="failed")
    async with opened(shown, port=port):
        await browser.until(IS_LIVE)
        await browser.until(f"{state_of('app-0001')} === 'failed'")


async def test_more_rows_come_as_a_person_scrolls(browser):
    async with opened(fleet(350)) as site:
        await browser.open(f"{site.base}/")
        scroll = "void document.querySelector('.more-rows')?.scrollIntoView()"
        await browser.until(f"{scroll} || {keys()}.split(' ').length === 350")
        await browser.until("document.querySelectorAll('.more-rows').length === 0")


async def test_hostile_texts_run_nowhere(browser, shown):
    shown.rows = {
        "<b>k": row("<b>k", image=HOSTILE, state="held", reason=HOSTILE, newest=HOSTILE, written=(HOSTILE,), code=HOSTILE)
    }
    async with opened(shown) as site:
        for path in ("/", "/subscriptions/%3Cb%3Ek", "/?q=%3Cscript%3Ewindow.pwned=1%3C/script%3E&sort=%3Cscript%3E"):
            await browser.open(f"{site.base}{path}")
            await browser.until(IS_LIVE)
            shown.happens("<b>k", reason=f"{HOSTILE}{path}")
            await browser.until("document.readyState === 'complete'")
            assert await browser.run("return window.pwned === undefined")
        await browser.open(f"{site.base}/")
        await browser.until(IS_LIVE)
        shown.happens("<b>k", state="failed", reason=f"{HOSTILE}last")
        await browser.until("document.querySelector('#events').textContent.includes('>last')")
        assert await browser.run("return window.pwned === undefined && document.querySelector('img[src=x]') === null")
        complaints = await browser.complaints()
    assert [text for text in complaints if "Content Security Policy" in text or "Uncaught" in text] == []


@pytest.mark.parametrize("width", [360, 768, 1440, 3840])
async def test_no_page_is_wider_than_the_screen(browser, site, width):
    await browser.resize(width, 900)
    for path in ("/", "/subscriptions/app-0000", "/subscriptions/app-0002", "/subscriptions/none"):
        await browser.open(f"{site.base}{path}")
        wide = await browser.run("return document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, path


async def test_a_small_screen_shows_the_newest_tags_and_why_each_stands_where_it_does(browser, site):
    """The ladder begins at its right end, and no column of the tables is outside of the screen."""
    await browser.resize(360, 900)
    await browser.open(f"{site.base}/subscriptions/app-0001")
    edge = "document.querySelector('.ladder .scroll').getBoundingClientRect().right"
    assert await browser.run(f"return document.querySelector('.ladder svg').getBoundingClientRect().right <= {edge}")
    cells = "[...document.querySelectorAll('table.plain th, table.plain td')]"
    assert await browser.run(f"return {cells}.every((cell) => cell.getBoundingClientRect().right <= 360)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
async def test_axe_finds_nothing_serious(browser, site, scheme, width):
    await browser.prefer(scheme)
    await browser.resize(width, 900)
    for path in ("/", "/subscriptions/app-0000", "/subscriptions/app-0002", "/subscriptions/none"):
        await browser.open(f"{site.base}{path}")
        await browser.until(IS_LIVE)
        await browser.command("Runtime.evaluate", {"expression": axe()})  # the page's own policy lets nothing else in
        found = await browser.run_async(FOUND)
        assert [item for item in found if item[0] in SERIOUS] == [], path


async def test_a_page_without_scripts_is_whole(browser, site):
    await browser.command("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        await browser.open(f"{site.base}/?state=held")
        assert "app-0002" in await browser.text(".fleet")
        assert await browser.text(".filter button") == "Apply"
        await browser.click(f"#{row_id('app-0002')} th a")
        async with asyncio.timeout(PATIENCE):
            while True:
                if await browser.text("h1") == "app-0002":
                    break
                await asyncio.sleep(0.05)
    finally:
        await browser.command("Emulation.setScriptExecutionDisabled", {"value": False})


async def test_a_printed_page_holds_no_controls(browser, site):
    await browser.prefer("light", media="print")
    await browser.open(f"{site.base}/")
    seen = "[...document.querySelectorAll('button, input, select')].filter(item => item.offsetParent !== null).length"
    assert await browser.run(f"return {seen}") == 0


async def test_a_person_holds_a_subscription_and_reads_what_became_of_it(browser, site):
    await browser.open(f"{site.base}/subscriptions/app-0001")
    await browser.until(IS_LIVE)
    await browser.click(".acts details:nth-of-type(1) summary")
    await browser.type("#hold-reason", "incident 4711")
    await browser.click("[data-act=hold] button[type=submit]")
    await browser.until("document.querySelector('#act-result').textContent.includes('done')")
    (order,) = site.acts.orders
    assert (order.kind, order.key, order.reason, order.author) == ("hold", "app-0001", "incident 4711", "localhost")
    assert await browser.run("return document.querySelector('#hold-reason').value") == ""
    assert await browser.complaints() == []


async def test_a_person_previews_a_pin_before_it_is_made(browser, site):
    await browser.open(f"{site.base}/subscriptions/app-0001")
    await browser.until(IS_LIVE)
    await browser.click(".acts details:nth-of-type(4) summary")
    await browser.type("#pin-tag", "1.4.2")
    await browser.click("[data-act=pin] button[type=button]")
    await browser.until("document.querySelector('#act-result .diff .add') !== null")
    assert [order.image for order in site.acts.orders] == ["1.4.2"]
    assert await browser.complaints() == []


async def test_what_is_refused_is_told_where_it_was_asked_for(browser, site):
    await browser.open(f"{site.base}/subscriptions/app-0001")
    await browser.until(IS_LIVE)
    await browser.run("document.querySelector('[data-act=scan] [name=form_token]').value = 'wrong'")
    await browser.click(".acts details:nth-of-type(5) summary")
    await browser.click("[data-act=scan] button[type=submit]")
    await browser.until("document.querySelector('#act-result').textContent.includes('form-token')")
    assert site.acts.orders == []
