"""What `set --proposal` tells: its pull request on stdout, and to the CI job that runs it by the files of its service."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from updater.cli.terminal import say
from updater.errors import ConfigError
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.checkout.edit import FolderFiles, SetRequest
    from updater.checkout.forge_access import ForgeConfiguration
    from updater.checkout.proposal import ProposalReport
    from updater.settings.repositories import RepositorySettings


def propose(folder: FolderFiles, requests: SetRequest, options: dict[str, Any], settings: Any) -> ProposalReport:
    """Open or update the pull request of *requests*; raise `UpdaterError`, before anything is pushed where it can be known."""
    from updater.checkout.proposal import CheckoutProposer, ProposalRequest
    from updater.git.object_builder import Identity
    from updater.model.subscription import CommitSpec

    who = settings.git.author if settings else CommitSpec()
    asked = ProposalRequest(
        committer=Identity(name=who.name, email=who.email),
        message=options["message"],
        title=options["title"] or "",
        base=options["base"],
        branch=options["branch"],
        forge=_configured(settings),
        **_shaped(settings),
    )
    proposer = CheckoutProposer(folder, requests, asked)
    report = asyncio.run(proposer.propose())
    tell_job(report)
    return report


def _shaped(settings: Any) -> dict[str, Any]:
    """Return how the configuration proposes where nothing else is said: by git.proposal, a pull request for each call."""
    if settings is None:
        return {}
    from updater.model.publishing import Proposal, ProposalScope
    from updater.settings.proposals import ProposalPlace, ProposalSettings, proposal_of

    def shape(part: str, base: str) -> Proposal:
        asked = ProposalSettings(per=ProposalScope.SUBSCRIPTION)
        return proposal_of(asked, settings.git.proposal, ProposalPlace(key=part, base=base))

    return {"shape": shape}


def _configured(settings: Any) -> Callable[[str], ForgeConfiguration]:
    """Return what the configuration says of the forge of a URL."""
    from updater.checkout.forge_access import ForgeConfiguration

    def configured(url: str) -> ForgeConfiguration:
        entry = settings.repository_for(url) if settings else None
        if entry is None:
            return ForgeConfiguration()
        accounts = frozenset(name.lower() for name in entry.forge.accounts)
        token = asyncio.run(_token(url, entry))
        return ForgeConfiguration(kind=entry.forge.said_kind, api=entry.forge.api or "", token=token, accounts=accounts)

    return configured


async def _token(url: str, entry: RepositorySettings) -> str:
    """Return the token of the configuration, "" where it names none; raise `ConfigError`, and what a GitHub App raises."""
    from updater.credentials.github_app import InstallationTokens
    from updater.credentials.keychain import Keychain
    from updater.daemon.git_access import reached_as, read_app
    from updater.forge.address import ForgeKind, locate_repository
    from updater.git.access import GitAccess
    from updater.http.client import HttpClient

    keychain = Keychain(docker_configs=())
    if entry.forge.token is not None:
        return (await keychain.text(entry.forge.token)).strip()
    if entry.forge.github_app is None:
        return ""
    api = locate_repository(url, kind=ForgeKind.GITHUB, api=entry.forge.api or "").api
    app = await read_app(entry.forge.github_app, keychain, reached_as(entry, GitAccess()), api=api)
    async with HttpClient() as http:
        return await InstallationTokens(http).token(app)


def show(report: ProposalReport) -> None:
    """Print what became of the pull request: one line on stdout, and on stderr what is held and why."""
    from updater.checkout.proposal import ProposalEnd

    if report.end is not ProposalEnd.NONE and report.end is not ProposalEnd.HELD:
        say(printable(f"pull request {report.end}: {report.link}"))
    if report.remark:
        say(printable(f"note: {report.remark}"), err=True)
    for problem in report.held:
        say(printable(f"held: {problem.message}"), err=True)
        if problem.hint:
            say(f"hint: {problem.hint}", err=True)


def as_json(report: ProposalReport) -> dict[str, Any]:
    """Return the pull request as JSON shows it."""
    held = [{"code": problem.code, "reason": problem.message, "hint": problem.hint} for problem in report.held]
    return {
        "status": str(report.end),
        "link": report.link or None,
        "branch": report.branch,
        "base": report.base,
        "held": held,
        "note": report.remark or None,
    }


def tell_job(report: ProposalReport) -> None:
    """Write the outputs and the summary of a job's step, where its service names files for them; raise `ConfigError`."""
    outputs = {
        "changed": str(report.end.is_written).lower(),
        "proposal-status": str(report.end),
        "proposal-link": report.link,
        "proposal-branch": report.branch,
        "commit": report.revision or "",
    }
    _append("GITHUB_OUTPUT", "".join(f"{name}={printable(value)}\n" for name, value in outputs.items()))
    _append("GITHUB_STEP_SUMMARY", summary(report))


def summary(report: ProposalReport) -> str:
    """Return the summary of a step, in Markdown: the pull request, what changes, and what is held; "" for nothing at all."""
    from updater.writeback.proposal_text import as_code

    lines = [f"Pull request {report.end}: <{report.link}>"] if report.link else []
    lines += [f"Held: {as_code(problem.message)}" for problem in report.held]
    if report.written.changes:
        cells = ((f"{one.path}:{one.line}", one.old or "nothing", one.new or "nothing") for one in report.written.changes)
        rows = [f"| {' | '.join(map(as_code, row))} |" for row in cells]
        lines.append("\n".join(("| Place | Old | New |", "| --- | --- | --- |", *rows)))
    return "\n\n".join(lines) + "\n" if lines else ""


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable, "")
    if not path or not text:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        from updater.reasons import reason_of

        hint = f"unset {variable}, or let it name a file that can be written"
        raise ConfigError(f"{variable}: {path} cannot be written: {reason_of(error)}", hint=hint, code="usage") from error
