"""A fleet for flow tests: a real git http-backend over HTTP, a registry, a configuration, and passes over them."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fakes.git_server import BareRepository, GitServer
from tests.fakes.registry import FakeRegistry
from updater.daemon.assembly import start_generation
from updater.daemon.process import Process
from updater.http.client import HttpClient
from updater.http.limits import Patience
from updater.model.outcome import Status
from updater.sources.file import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARKED = 'spec:\n  image: {host}/o/app:1.0.0  # {{"$imagepolicy": "ns:app"}}\n'
KUSTOMIZED = "images:\n- name: web\n  newName: {host}/o/web\n  newTag: 1.0.0\n"
VALUES = 'image:\n    repository: {host}/o/api\n    tag: "1.0.0"   # quoted\n'


def subscription(
    key: str, host: str, url: str, place: str, *, branch: str = "main", push: str = "", policy: str = "", more: str = ""
) -> str:
    pushed = f", push: {push}" if push else ""
    return f"""\
  - key: {key}
    image: {host}/o/{key}
    policy: {policy or '{semver: {range: ">=1.0.0"}}'}
    {more}
    targets:
      - git: {{url: "{url}", branch: {branch}{pushed}}}
        {place}
"""


@dataclass
class Fleet:
    folder: Path
    registry: FakeRegistry
    repository: BareRepository
    server: GitServer
    extra: str = ""
    subscriptions: list[str] = field(default_factory=list)
    registries: str = ""
    wall: Callable[[], float] = time.time

    @property
    def url(self) -> str:
        return self.server.url("fleet.git")

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def add(self, key: str, place: str, **more) -> None:
        self.subscriptions.append(subscription(key, self.registry.host, self.url, place, **more))

    def configure(self) -> Path:
        path = self.folder / "updater.yaml"
        path.write_text(
            f"""\
interval: 1s
state: {self.state}
listen: {{metrics: null}}
registries:
  - {{prefix: "{self.registry.host}", url: "{self.registry.url}", insecure: true}}
{self.registries}
git:
  author: {{name: updater, email: updater@example.org}}
{self.extra}
subscriptions:
{"".join(self.subscriptions) or "  []"}"""
        )
        return path

    @asynccontextmanager
    async def opened(self, *, wrap=lambda writer: writer):
        """A generation in a process of its own, with the cache and mirrors of the state folder."""
        loaded = load([self.configure()], dict(os.environ))
        async with Process(self.state, wall=self.wall, kubernetes=loaded.settings.kubernetes) as process:
            process.http = HttpClient(patience=Patience(attempts=2, first=0.0), observe=process.metrics.request)
            async with process.http:
                generation = await start_generation(loaded, process, wrap=wrap)
                generation.take_over()
                yield generation

    async def once(self, *, wrap=lambda writer: writer, is_dry: bool = False):
        """One pass as `updater once` makes it; gives the outcomes by key."""
        async with self.opened(wrap=wrap) as generation:
            landings = await generation.once(generation.subscriptions, is_dry=is_dry)
        return {outcome.key: outcome for landing in landings for outcome in landing.outcomes}

    def file(self, path: str, revision: str = "main") -> str:
        return self.repository.show(path, revision).decode()

    def commits(self, branch: str = "main") -> list[str]:
        return self.repository.git("log", "--format=%an: %s", branch).splitlines()

    def forget(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)


@asynccontextmanager
async def fleet(folder: Path, **files: str):
    """A fleet with the three usual files, or *files* by path; the registry has 1.0.0 of app, web and api."""
    async with FakeRegistry() as registry:
        for name in ("app", "web", "api"):
            registry.push(f"o/{name}", "1.0.0")
        texts = files or {"apps/app.yaml": MARKED, "apps/web/kustomization.yaml": KUSTOMIZED, "charts/values.yaml": VALUES}
        content = {path: text.format(host=registry.host).encode() for path, text in texts.items()}
        repository = BareRepository.make(folder / "repos" / "fleet.git", content)
        repository.log_pushes()
        with GitServer(folder / "repos") as server:
            yield Fleet(folder=folder, registry=registry, repository=repository, server=server)


def add_usual(made: Fleet) -> None:
    """Subscribe to the three usual places: a marker, a kustomization, Helm values."""
    made.add("app", "marker: ns:app")
    made.add("web", "kustomize: {path: apps/web, name: web}")
    made.add("api", "helm: {file: charts/values.yaml, name: image.repository, tag: image.tag}")


__all__ = ["KUSTOMIZED", "MARKED", "VALUES", "Fleet", "Status", "add_usual", "fleet"]
