"""`updater demo`: the main job end to end on this machine, through the very code that `once` and `run` drive."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from updater.cli.demo_fleet import SHOP, configuration, manifests
from updater.cli.report import outcome_lines
from updater.cli.terminal import say
from updater.errors import ConfigError
from updater.model.outcome import Status
from updater.model.subscription import GitBranch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from updater.cli.embedded_registry import EmbeddedRegistry
    from updater.daemon.generation import Generation
    from updater.engine.landing import Landing
    from updater.git.mirror import Mirror
    from updater.model.selection import Selection
    from updater.model.subscription import Destination, Subscription
    from updater.model.update import Commit, WriteResult
    from updater.model.view import View
    from updater.writeback.base import Writer

SHOWN_LOSERS: Final = 4


@click.command()
@click.option("--keep", metavar="DIR", type=click.Path(path_type=Path), help="Keep everything in this new folder.")
@click.option("--serve", is_flag=True, help="Go on with the daemon, its page and new releases, until Ctrl-C.")
@click.option("--listen", metavar="HOST:PORT", help="Where --serve shows the page, instead of 127.0.0.1:8095.")
def demo(*, keep: Path | None, serve: bool, listen: str | None) -> None:
    """Show the main job end to end on this machine.

    An embedded registry, a bare Git repository, new tags, real commits. Nothing else is needed: no network, no root,
    no docker.
    """
    from updater.cli.demo_served import free_address

    address = free_address(listen) if serve else ""
    if listen and not serve:
        raise ConfigError("--listen counts with --serve only", hint="add --serve", code="usage")
    if keep:
        _make_new(keep)
    with ExitStack() as stack:
        folder = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="updater-demo-"))
        if keep is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        asyncio.run(_tell(folder, address))
        if keep:
            click.echo(f"\nkept in {folder}: fleet.git, updater.yaml, state")
        if not serve:
            _say_next(folder if keep else None)


def _make_new(folder: Path) -> None:
    """Make the folder to keep; raise `ConfigError` if it holds something, or cannot be made."""
    hint = "name a new folder for --keep"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"{folder} cannot be created: {error.strerror}", hint=hint, code="usage") from error
    if not is_empty:
        raise ConfigError(f"{folder} is not empty", hint=hint, code="usage")


class RacingWriter:
    """Stands before the writer, and lets a person push once just before we do."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.person: Callable[[], Awaitable[None]] | None = None

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Look as the writer does."""
        return await self._writer.look(destination, subscriptions)

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Let the person push first, then write."""
        person, self.person = self.person, None
        if person:
            await person()
        return await self._writer.write(view, commits, is_dry=is_dry)


class DemoStage:
    """What the demo plays on: the registry, the fleet's Git repository, and everything opened for one configuration."""

    def __init__(
        self, folder: Path, registry: EmbeddedRegistry, generation: Generation, racing: RacingWriter, fleet: Mirror
    ) -> None:
        self.folder = folder
        self.fleet = fleet
        self.registry = registry
        self.generation = generation
        self.racing = racing

    def push(self, name: str, *tags: str) -> None:
        """Let CI push images."""
        for tag in tags:
            self.registry.push(f"acme/{name}", tag, created=datetime.now(UTC))
        say(f"  CI pushes  {name}: {', '.join(tags)}")

    async def pass_once(self) -> Sequence[Landing]:
        """Scan all and land all, as `updater once` does, and say what came of it."""
        landings = await self.generation.once(self.generation.subscriptions, is_dry=False)
        for landing in landings:
            _explain(landing)
        return landings

    async def commit(self, name: str, message: str, files: dict[str, bytes]) -> None:
        """Let a person commit to the fleet, from a mirror of their own."""
        from updater.git.access import GitAccess
        from updater.git.mirror import Mirror
        from updater.git.object_builder import Identity, NewCommit

        mirror = Mirror(str(self.folder / "fleet.git"), self.folder / "state" / f"person-{name.lower()}", GitAccess())
        head = (await mirror.look("main")).revision
        await mirror.fetch("main")
        author = Identity(name=name, email=f"{name.lower()}@example.org")
        new = NewCommit(message=f"{message}\n", author=author, files=files, when=datetime.now(UTC))
        await mirror.land(base=head, branch="main", expected=head, commits=[new])
        await mirror.close()

    async def content(self, path: str) -> bytes:
        """Read a file of the fleet as it is now."""
        head = (await self.fleet.look("main")).revision
        assert head is not None  # noqa: S101 - the fleet was committed
        await self.fleet.fetch("main")
        return await self.fleet.tree(head, lambda tree: tree.read(path))


async def _tell(folder: Path, address: str) -> None:
    """Play the story, and go on with the daemon where it has an address to serve at."""
    from updater.cli.demo_served import served_files
    from updater.cli.embedded_registry import EmbeddedRegistry
    from updater.daemon.assembly import start_generation
    from updater.daemon.process import Process
    from updater.git.bare import make_bare
    from updater.reporting.logs import configure
    from updater.sources.file import load

    async with EmbeddedRegistry() as registry:
        make_bare(folder / "fleet.git")
        path = folder / "updater.yaml"
        path.write_text(configuration(registry.host, str(folder)), encoding="utf-8")
        configure(level="error", form="console")
        loaded = load([path], os.environ)
        async with Process(folder / "state") as process:
            races: list[RacingWriter] = []

            def race(writer: Writer) -> Writer:
                races.append(RacingWriter(writer))
                return races[-1]

            generation = await start_generation(loaded, process, wrap=race)
            generation.take_over()
            branch = GitBranch(url=str(folder / "fleet.git"), branch="main")
            stage = DemoStage(folder, registry, generation, races[-1], process.mirror(branch))
            await _play(stage)
            _show_log(folder)
            if address:
                await stage.commit("Grace", "The rest of the fleet", served_files(registry.host))
        if address:
            await _serve(folder, registry, address)


async def _play(stage: DemoStage) -> None:
    _head(1, "A fleet as people wrote it")
    for name, tags in {"shop": ["1.3.9", "1.4.0"], "web": ["2.4.5", "2.4.6"], "api": ["0.9.2-alpine", "0.9.2"]}.items():
        stage.push(name, *tags)
    await stage.commit("Grace", "The fleet: shop, web and api", manifests(stage.registry.host))
    click.echo("  Grace commits  a Deployment, a kustomization, Helm values\n")
    await stage.pass_once()

    _head(2, "New tags become one commit, with the reason")
    stage.push("shop", "1.4.1", "1.5.0-rc.1")
    stage.push("web", "2.4.7", "3.0.0")
    stage.push("api", "0.9.3", "0.9.3-alpine", "latest")
    click.echo()
    await stage.pass_once()

    _head(3, "A tag disappears: nothing is downgraded")
    stage.registry.delete("acme/web", "2.4.7")
    click.echo("  the registry loses  web: 2.4.7\n")
    await stage.pass_once()
    click.echo("\n  the next scan confirms that it is gone\n")
    await stage.pass_once()

    _head(4, "A person pushes first: both commits stay")
    stage.push("shop", "1.4.2")
    stage.racing.person = lambda: _grace_scales(stage)
    click.echo()
    landings = await stage.pass_once()
    replays = sum(landing.replays for landing in landings)
    say(f"\n  the push was refused {replays} time: re-evaluated on top of her commit; nothing overwritten")


async def _grace_scales(stage: DemoStage) -> None:
    before = await stage.content(SHOP)
    await stage.commit("Grace", "Scale the shop for the weekend", {SHOP: before.replace(b"replicas: 3", b"replicas: 12")})
    click.echo("  Grace pushes  replicas: 12, while the update is being prepared")


def _head(number: int, text: str) -> None:
    click.echo(f"\n{click.style(f'{number}', fg='cyan', bold=True)}  {click.style(text, bold=True)}")


def _explain(landing: Landing) -> None:
    width = max((len(outcome.status.value) for outcome in landing.outcomes), default=0)
    for outcome in sorted(landing.outcomes, key=lambda item: item.key):
        for line in outcome_lines(outcome, width):
            say(f"  {line}")
        selections = [choice for (key, _), choice in landing.choices.items() if key == outcome.key]
        for selection in selections:
            if not isinstance(selection, Exception) and outcome.status is not Status.UNCHANGED:
                _say_why(selection, width)


def _say_why(selection: Selection, width: int) -> None:
    indent = " " * (width + 4)
    if selection.chosen and selection.detail:
        say(f"{indent}{click.style('why', fg='bright_black')}  {selection.detail}")
    told = {"outranked", selection.code}
    losers = [item for item in selection.rejections.values() if item.code not in told][:SHOWN_LOSERS]
    for rejection in losers:
        say(f"{indent}{click.style('not', fg='bright_black')}  {rejection.sentence} [{rejection.code}]")


def _show_log(folder: Path) -> None:
    from updater.git.log import log_patch

    _head(5, "git log -p -1\n")
    colours = {"commit ": "yellow", "+": "green", "-": "red", "@@": "cyan"}
    for line in log_patch(folder / "fleet.git", "main", limit=1):
        colour = next((name for start, name in colours.items() if line.startswith(start)), None)
        is_heading = line.startswith(("+++", "---", "diff ", "index "))
        click.echo(click.style(line, bold=True) if is_heading else click.style(line, fg=colour) if colour else line)


def _say_next(kept: Path | None) -> None:
    """Name the commands to go on with."""
    program = _program()
    commands = [
        (f"git -C {min(str(kept), os.path.relpath(kept), key=len)}/fleet.git log -p", "every commit of the demo")
        if kept
        else (f"{program} demo --keep trial", "the same, kept in a folder to look at"),
        (f"{program} demo --serve", "the page, on a fleet that moves"),
        (f"{program} init PATH", "a first configuration from a repository of yours"),
        (f"{program} check IMAGE:TAG", "which tag would win for an image of yours, and why"),
    ]
    width = max(len(command) for command, _ in commands)
    click.echo(f"\n{click.style('next', bold=True)}")
    for command, what in commands:
        click.echo(f"  {command:<{width}}  {what}")


def _program() -> str:
    """Return the word by which this program is found from here: a checkout has it below .venv, and not in PATH."""
    own = Path(sys.argv[0])
    if shutil.which("updater") or own.name != "updater" or not own.is_file():
        return "updater"
    return os.path.relpath(own)


async def _serve(folder: Path, registry: EmbeddedRegistry, address: str) -> None:
    """Go on as `updater run` does, with new releases every few seconds."""
    from updater.cli.demo_served import HOLDS, fill, push_now_and_then, served_configuration
    from updater.daemon.process import process_for
    from updater.daemon.service import Service, first_generation
    from updater.daemon.signals import Signals
    from updater.daemon.tasks import LongTask, run_beside
    from updater.reporting.logs import configure
    from updater.sources.file import load

    path = folder / "updater.yaml"
    path.write_text(served_configuration(registry.host, folder, address), encoding="utf-8")
    (folder / "holds.yaml").write_text(HOLDS, encoding="utf-8")
    fill(registry, datetime.now(UTC))
    configure(level="info", form="console")
    requests = Signals()
    requests.listen()
    loaded = load([path], os.environ)
    async with process_for(loaded) as process:
        service = Service([str(path)], process, await first_generation(loaded, process), requests)
        say(f"\n{click.style('page', bold=True)}  http://{address}/\nA new version comes every few seconds. Ctrl-C ends it.\n")
        await run_beside(service.run(), [LongTask(name="CI of the demo", run=partial(push_now_and_then, registry))])
