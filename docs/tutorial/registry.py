# ruff: noqa: INP001 - a script
"""A registry for the tutorial: it holds what the demo pushed, and takes a new tag for every line that you type.

Usage: python docs/tutorial/registry.py PORT
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Final

from updater.cli.embedded_registry import EmbeddedRegistry

TAGS: Final = {
    "shop": ["1.3.9", "1.4.0", "1.4.1", "1.4.2", "1.5.0-rc.1"],
    "web": ["2.4.5", "2.4.6", "3.0.0"],
    "api": ["0.9.2", "0.9.2-alpine", "0.9.3", "0.9.3-alpine", "latest"],
}


async def serve(port: int) -> None:
    """Serve on loopback until the input ends; each line is a name and a tag, such as ``shop 1.4.3``."""
    async with EmbeddedRegistry(port) as registry:
        for name, tags in TAGS.items():
            for tag in tags:
                registry.push(f"acme/{name}", tag, created=datetime.now(UTC))
        print(f"a registry on {registry.host}; type a name and a tag, such as: shop 1.4.3")  # noqa: T201 - talks to you
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, _, tag = line.strip().partition(" ")
            if name in TAGS and tag:
                registry.push(f"acme/{name}", tag, created=datetime.now(UTC))
                print(f"pushed {name}:{tag}")  # noqa: T201 - see above
            else:
                print(f"a name ({', '.join(TAGS)}), a space and a tag, please")  # noqa: T201 - see above


if __name__ == "__main__":
    try:
        asyncio.run(serve(int(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(0)
