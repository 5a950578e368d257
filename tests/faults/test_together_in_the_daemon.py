"""What is pushed together lands in one commit, with few requests, by the daemon as it runs."""

from __future__ import annotations

import pytest

from tests.flows.fleet import MARKED, fleet
from tests.flows.test_run import Daemon, until
from tests.real.parts import free_port

pytestmark = pytest.mark.real
NAMES = [f"i{number}" for number in range(5)]


async def test_five_images_pushed_at_one_moment_become_one_commit_each_time(tmp_path):
    files = {f"{name}.yaml": MARKED.replace("o/app", f"o/{name}").replace("ns:app", f"ns:{name}") for name in NAMES}
    async with fleet(tmp_path, **files) as made:
        for name in NAMES:
            made.registry.push(f"o/{name}", "1.0.0")
            made.add(name, f"marker: ns:{name}")
        async with Daemon(made, free_port()) as running:
            await until(lambda: running.get("/readyz"))
            await running.metric('updater_looks_total{result="read"}')
            for number in range(1, 5):
                requests = made.server.count()
                for name in NAMES:
                    made.registry.push(f"o/{name}", f"1.{number}.0")
                await until(lambda: all(f":1.{number}.0" in made.file(f"{name}.yaml") for name in NAMES))  # noqa: B023 - asked at once
                assert len(made.commits()) == 1 + number
                assert made.server.count() - requests <= 6 + 2  # and a quiet look or two before it
