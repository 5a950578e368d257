"""Take the pictures of docs/pictures anew, of `updater demo --serve`: `python -m tests.browser.pictures`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.browser.driver import Running
from tests.flows.test_demo_served import served

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
MOVED = "[...document.querySelectorAll('#events .revision')].length >= 6"


async def take(folder: Path) -> None:
    """Wait until the fleet has moved some times, and take both pictures."""
    running = Running(folder)
    try:
        async with served(folder / "kept") as (_, address), running.browser() as browser:
            await browser.resize(1440, 900)
            await browser.open_when_served(address)
            await browser.until(MOVED)
            await browser.picture(PICTURES / "page.png")
            await browser.open(f"{address}subscriptions/gateway")
            await browser.until("document.querySelector('.ladder svg') !== null")
            await browser.picture(PICTURES / "subscription.png")
    finally:
        running.close()


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        asyncio.run(take(Path(made)))
