"""A real Chromium for tests, over the WebDriver protocol (W3C): just what the tests of the page ask of a browser."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import urllib.request
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import aiohttp
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE = 120.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER, TAB = "\ue007", "\ue004"
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--lang=en",
)


def programs() -> tuple[str, str]:
    """Return Chromium and its driver; the test is skipped without them, and fails where nothing may be skipped."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    if None in found:
        if os.environ.get("UPDATER_REQUIRE_REAL"):
            pytest.fail("chromium and chromedriver are needed: apt-get install chromium chromium-driver")
        pytest.skip("chromium and chromedriver are not installed")
    return str(found[0]), str(found[1])


class Browser:
    """One session of a browser. What is waited for is a state of the page, with `PATIENCE` for a loaded machine."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def call(self, method: str, path: str, body: dict | None = None):
        """Send one command, and return its value; raise `AssertionError` with what the browser says."""
        data = {} if body is None and method == "POST" else body
        async with self._session.request(method, f"{self._base}{path}", json=data) as answer:
            value = (await answer.json())["value"]
            assert answer.status == 200, f"{path}: {value.get('error')}: {value.get('message')}"
            return value

    async def open(self, url: str) -> None:
        """Go to *url*, and wait until it is loaded."""
        await self.call("POST", "/url", {"url": url})

    async def open_when_served(self, url: str) -> None:
        """Go to *url* as soon as somebody answers there."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(aiohttp.ClientConnectionError):
                    async with self._session.get(url):
                        break
                await asyncio.sleep(0.1)
        await self.open(url)

    async def run(self, script: str, *arguments):
        """Return what *script* returns in the page."""
        return await self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    async def run_async(self, script: str, *arguments):
        """Return what *script* hands to its last argument, a function."""
        return await self.call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    async def until(self, expression: str, *arguments):
        """Wait until *expression* of JavaScript is true, and return its value."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if value := await self.run(f"return ({expression})", *arguments):
                    return value
                await asyncio.sleep(0.05)

    async def find(self, selector: str) -> str:
        """Wait for an element, and return its name in the protocol."""
        await self.until("document.querySelector(arguments[0]) !== null", selector)
        return (await self.call("POST", "/element", {"using": "css selector", "value": selector}))[ELEMENT]

    async def click(self, selector: str) -> None:
        """Click an element as a person does: it must be seen, and nothing may cover it."""
        await self.call("POST", f"/element/{await self.find(selector)}/click")

    async def type(self, selector: str, text: str) -> None:
        """Type into an element."""
        await self.call("POST", f"/element/{await self.find(selector)}/value", {"text": text})

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        await self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    async def text(self, selector: str) -> str:
        """Return the text of an element that a person sees."""
        return await self.call("GET", f"/element/{await self.find(selector)}/text")

    async def resize(self, width: int, height: int) -> None:
        """Give the page so many pixels, also fewer than a window may have."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.command("Emulation.setDeviceMetricsOverride", metrics)

    async def prefer(self, scheme: str, *, media: str = "") -> None:
        """Prefer the light or dark scheme, on the screen or in print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]
        await self.command("Emulation.setEmulatedMedia", {"media": media, "features": features})

    async def command(self, name: str, parameters: dict):
        """Send a command of the DevTools protocol."""
        return await self.call("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    async def picture(self, path: Path) -> None:
        """Write what is seen as PNG."""
        await asyncio.to_thread(path.write_bytes, base64.b64decode(await self.call("GET", "/screenshot")))

    async def complaints(self) -> list[str]:
        """Return what the browser complained about since the last call: errors, and what the content policy stopped."""
        found = await self.call("POST", "/se/log", {"type": "browser"})
        return [item["message"] for item in found if item["level"] == "SEVERE"]


class Running:
    """Chromium as it runs for many tests: starting it costs seconds. Each test asks for `Running.browser`."""

    def __init__(self, profile: Path) -> None:
        chromium, driver = programs()
        command = (driver, "--port=0", f"--log-path={profile / 'driver.log'}")
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": str(profile)}
        )
        try:
            self._root = f"http://127.0.0.1:{self._port()}"
            options = {"binary": chromium, "args": [*_ARGUMENTS, f"--user-data-dir={profile / 'data'}"]}
            wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self._base = f"{self._root}/session/{made['sessionId']}"
        except BaseException:
            self._end()
            raise

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """Lend the browser to one test."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
            lent = Browser(session, self._base)
            await lent.prefer("light")
            await lent.resize(1440, 1000)
            try:
                yield lent
            finally:
                await lent.open("about:blank")
                await lent.complaints()

    def close(self) -> None:
        """End the browser and its driver."""
        try:
            self._ask("DELETE", self._base.removeprefix(self._root))
        finally:
            self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _port(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(rb"started successfully on port (\d+)", line):
                return int(found[1])
        raise AssertionError("chromedriver ended before it named its port")

    def _ask(self, method: str, path: str, body: dict | None = None):
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{self._root}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["value"]
