"""A fleet whose repository lies on a real Gitea, and the passes over it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from tests.flows.fleet import Fleet
from tests.real.daemon_process import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.registry import FakeRegistry
    from tests.real.gitea_lab import Gitea, GiteaRepository

FILE = "apps/app.yaml"
_NUMBERS = count(1)


@dataclass
class GiteaFleet(Fleet):
    """*repository* is one of *gitea*; the bot's token lies in the file `token`."""

    gitea: Gitea = None
    repository: GiteaRepository
    generation: object = None

    @classmethod
    def make(cls, gitea: Gitea, folder: Path, registry: FakeRegistry, files: dict[str, bytes]) -> GiteaFleet:
        repository = gitea.repository(gitea.owner, f"fleet{next(_NUMBERS)}", files)
        repository.api("PUT", f"collaborators/{gitea.bot.name}", {"permission": "write"})
        made = cls(folder=folder, registry=registry, repository=repository, server=None, gitea=gitea)
        made.show(gitea.bot.token)
        return made

    @property
    def url(self) -> str:
        return self.repository.url

    @property
    def token(self) -> Path:
        return self.folder / "token"

    def show(self, token: str, more: str = "") -> None:
        """Let the program show *token*, to Git and to the forge."""
        self.token.write_text(token)
        self.extra = f'  repositories:\n    - {{prefix: "{self.gitea.url}/", credentials: "file:{self.token}"{more}}}'

    def propose(self, key: str = "app", more: str = "") -> None:
        """Subscribe to the image *key*, whose newer tags are proposed; *more* are further settings of the pull request."""
        self.show(self.token.read_text(), ", forge: {kind: gitea}")
        self.add(key, f"marker: ns:{key}")
        wanted = f"branch: main, proposal: {{{more}}}"
        self.subscriptions[-1] = self.subscriptions[-1].replace("branch: main", wanted)

    def push(self, tag: str, name: str = "app") -> None:
        self.registry.push(f"o/{name}", tag)

    async def land(self, key: str = "app"):
        """Make a pass with what is remembered, or with nothing where no generation is open; give the outcome of *key*."""
        if self.generation is None:
            self.forget()
            return (await self.once())[key]
        landings = await self.generation.once(self.generation.loaded.snapshot.subscriptions, is_dry=False)
        return next(outcome for landing in landings for outcome in landing.outcomes if outcome.key == key)

    def written(self, branch: str = "main") -> str:
        """Give the tag in the file of the image app."""
        return self.file(FILE, branch).partition("# ")[0].rpartition(":")[2].strip()

    def base_gets(self, tag: str) -> str:
        """Let a person write *tag* at the base."""
        return self.repository.commit({FILE: self.file(FILE).replace(f":{self.written()}", f":{tag}").encode()})

    def settled(self, number: int):
        """Wait until Gitea has checked whether a pull request can be merged; give it."""
        return until(lambda: (pull := self.repository.pull(number))["mergeable"] and pull)
