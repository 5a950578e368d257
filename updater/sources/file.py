"""How a configuration file becomes subscriptions, and when it has changed."""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError, ForgeError, TemplateError
from updater.forge.address import check_repository
from updater.inventory.branch_writers import repository
from updater.inventory.merge import crossed
from updater.model.problem import Problem
from updater.model.publishing import Proposal, PushBranch
from updater.model.release import OnBad, Workload
from updater.model.snapshot import Snapshot
from updater.model.subscription import WRITTEN_SOURCE, CommitSpec, GitBranch, Locator, Origin, Subscription, TagFilter, Target
from updater.settings import Settings, load_settings
from updater.settings.overlay import is_said
from updater.settings.proposals import ProposalPlace, proposal_of
from updater.sources.gates import gates_of, impossible_gates
from updater.sources.promotion import impossible_promotions
from updater.sources.proposed_branches import proposal_clashes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from updater.model.publishing import Publishing
    from updater.model.release import DeliveryOptions
    from updater.settings import SubscriptionSettings, TargetSettings
    from updater.settings.proposals import ProposalSettings
    from updater.settings.tree import GitTarget

ORIGIN: Final = "file"
LIVE: Final = "application"
_NOTHING: Final = hashlib.sha256().digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfiguration:
    """One configuration: the settings, without the subscriptions, the snapshot that these became, and its files as they were."""

    settings: Settings
    snapshot: Snapshot
    watched: WatchedFiles


def load(paths: Sequence[Path], environ: Mapping[str, str]) -> LoadedConfiguration:
    """Read the configuration; raise `ConfigError` whose `problems` are everything that is wrong."""
    settings = load_settings(paths, environ)
    watched = WatchedFiles(settings.files)  # at once: a change while a generation starts or drains must not be lost
    snapshot = to_snapshot(settings)
    if settings.applications is None:  # else the cluster may know the author, as Argo CD Image Updater's ConfigMap does
        require_author(settings, snapshot.subscriptions)
    wrong = refusals(settings, snapshot.subscriptions)
    if wrong:
        raise _all_of(wrong)
    # the settings of 5,000 subscriptions are 20 MB that nobody reads once they are subscriptions
    return LoadedConfiguration(settings=settings.model_copy(update={"subscriptions": ()}), snapshot=snapshot, watched=watched)


def refusals(settings: Settings, asked: Sequence[Subscription]) -> tuple[Problem, ...]:
    """Return what is wrong with subscriptions that are right each for itself: a configuration with such problems is not taken."""
    return (
        *_crossed_branches(asked),
        *proposal_clashes(asked),
        *_unknown_forges(settings, asked),
        *impossible_gates(asked),
        *impossible_promotions(asked, is_all=not settings.sources),
    )


def _all_of(wrong: tuple[Problem, ...]) -> ConfigError:
    return ConfigError(wrong[0].message, hint=wrong[0].hint, code=wrong[0].code, path=wrong[0].path, problems=wrong)


def require_author(settings: Settings, subscriptions: Sequence[Subscription]) -> None:
    """Raise `ConfigError` where *subscriptions* write to Git and nobody said who commits."""
    for problem in missing_author(settings, subscriptions):
        raise _all_of((problem,))


def missing_author(settings: Settings, subscriptions: Sequence[Subscription]) -> Iterator[Problem]:
    """Yield that *subscriptions* write to Git and nobody said who commits: no address is made up here."""
    writing = [item.key for item in subscriptions if any(isinstance(target.destination, GitBranch) for target in item.targets)]
    missing = [f"git.author.{name}" for name in ("name", "email") if not is_said(settings, ("git", "author", name))]
    if writing and missing:
        more = f", and {len(writing) - 1} more" if len(writing) > 1 else ""
        yield Problem(
            path=settings.files[0] if settings.files else "",
            code="no-author",
            message=f"{' and '.join(missing)} must be set: subscription {writing[0]!r} writes to Git{more}",
            hint='write git: {author: {name: "image updates", email: "images@your.domain"}}, or git.user and git.email in the '
            "ConfigMap of Argo CD Image Updater; by the address this program knows its own commits",
        )


def to_snapshot(settings: Settings) -> Snapshot:
    """Return the subscriptions of *settings*; raise `ConfigError` where they propose what has no name."""
    commit_spec = commit_spec_of(settings)
    subscriptions, wrong = [], []
    for index, item in enumerate(settings.subscriptions):
        path, line = settings.place_of(index)
        origin = Origin(kind=ORIGIN, name=path, line=line)
        try:
            subscriptions.append(_subscription(item, settings, commit_spec, origin))
        except (ConfigError, TemplateError) as error:
            said = f"{item.key}: {error.message}"
            wrong.append(Problem(path=path, line=line, code=error.code, message=said, hint=error.hint, origin=item.key))
    if wrong:
        raise _all_of(tuple(wrong))
    return Snapshot(subscriptions=tuple(subscriptions))


def _crossed_branches(subscriptions: Sequence[Subscription]) -> Iterator[Problem]:
    """Refuse branches that would be made anew over each other, and one repository under two spellings.

    A push branch is made anew from its base at each landing: with two bases, or as the base of another, it would undo
    what the other wrote.
    """
    bases: dict[tuple[str, str], str] = {}
    spelled: dict[str, str] = {}
    pairs = [(item, target.destination) for item in subscriptions for target in item.targets]
    branches = [(item, found) for item, found in dict.fromkeys(pairs) if found.method == "git"]
    rebuilt = {(found.url, found.push) for _, found in branches if found.is_rebuilt}
    for item, found in branches:
        base = bases.setdefault((found.url, found.push), found.branch)
        spelling = spelled.setdefault(repository(found.url)[0], found.url)
        if base != found.branch:
            yield crossed(item, f"{item.key} writes {found.push} over {found.branch}, another one over {base}")
        elif (found.url, found.branch) in rebuilt:
            yield crossed(item, f"{item.key} reads {found.branch}, which is rebuilt as the push branch of another one")
        if spelling != found.url:
            message = f"{item.key} spells {found.url} where another one spells {spelling}"
            yield crossed(item, message, hint="spell one repository one way")


def _unknown_forges(settings: Settings, subscriptions: Sequence[Subscription]) -> Iterator[Problem]:
    """Refuse proposals where no forge can be asked for them."""
    found = [(item, target.destination) for item in subscriptions for target in item.targets]
    for item, branch in dict.fromkeys(found):
        if branch.method != "git" or not isinstance(branch.publishing, Proposal):
            continue
        entry = settings.repository_for(branch.url)
        try:
            check_repository(branch.url, kind=entry.forge.kind if entry else None)
        except ForgeError as error:
            origin, message = item.origin, f"{item.key} asks for a pull request: {error.message}"
            yield Problem(path=origin.name, line=origin.line, code=error.code, message=message, hint=error.hint, origin=item.key)


def commit_spec_of(settings: Settings) -> CommitSpec:
    """Return the commit spec of this configuration; *signing* is the reference to the key, or empty."""
    git = settings.git
    signing = str(git.signing.key) if git.signing else ""
    who = git.author
    return CommitSpec(name=who.name, email=who.email, message=git.message or "", signing=signing, is_signed_off=git.sign_off)


def _subscription(item: SubscriptionSettings, settings: Settings, commit_spec: CommitSpec, origin: Origin) -> Subscription:
    interval = item.interval or settings.interval
    delivery = _delivery(item, settings)
    return Subscription(
        key=item.key,
        image=item.image,
        policy=item.policy,
        filter=TagFilter(allow=item.filter.allow, ignore=item.filter.ignore, extract=item.filter.extract),
        platforms=item.platforms,
        variant=item.variant,
        downgrade=item.downgrade_rule,
        targets=tuple(
            replace(target, interval=interval, commit_spec=commit_spec) for target in _targets(item, settings.git.proposal)
        ),
        interval=interval,
        delivery=delivery,
        gates=gates_of(item.gates, settings.gates, delivery, is_live=any(target.argocd for target in item.targets)),
        origin=origin,
    )


def _delivery(item: SubscriptionSettings, settings: Settings) -> DeliveryOptions | None:
    """Return how releases are followed; a live Application that is written delivers the image itself."""
    options = item.delivery.followed(settings.delivery) if item.delivery else None
    live = next((target.argocd.application for target in item.targets if target.argocd), None)
    if options is None or live is None or any(target.git for target in item.targets):
        return options
    found = (
        options
        if not options.searched
        else replace(options, agent=Workload("Application", live.namespace, live.name), searched=())
    )
    return replace(found, on_bad=OnBad.REPORT)  # as a default: what a subscription says itself is refused


def _targets(item: SubscriptionSettings, defaults: ProposalSettings) -> Iterator[Target]:
    for target in item.targets:
        form = target.form or item.form
        if target.argocd is not None:
            locator = _overriding(target, item.image.spelled)
            yield Target(destination=target.argocd.application, editor=LIVE, locator=locator, form=form)
        if target.git is not None:
            git = target.git
            editor, locator = _located(target, git.path, item.image.spelled)
            destination = GitBranch(url=git.url, branch=git.branch, publishing=_publishing(git, defaults, item))
            yield Target(destination=destination, editor=editor, locator=locator, form=form)


def _publishing(git: GitTarget, defaults: ProposalSettings, item: SubscriptionSettings) -> Publishing:
    if git.proposal is not None:
        asked, group = git.proposal, item.gates.group
        if group is not None and asked.per is None and asked.group is None and defaults.per is None:
            asked = asked.model_copy(update={"group": group})  # what moves together is proposed together
        return proposal_of(asked, defaults, ProposalPlace(key=item.key, base=git.branch))
    return PushBranch(git.push or git.branch)


def _overriding(target: TargetSettings, image: str) -> Locator:
    """Return what of an Application is written; which source that is, and without a section as what, its look says."""
    if target.kustomize is not None:
        return Locator(path=WRITTEN_SOURCE, name=target.kustomize.name, spec=image, section="kustomize")
    if target.helm is not None:
        helm = target.helm
        return Locator(path=WRITTEN_SOURCE, name=helm.name, tag=helm.tag, spec=helm.spec, section="helm")
    return Locator(path=WRITTEN_SOURCE, spec=image)


def _located(target: TargetSettings, path: str, image: str) -> tuple[str, Locator]:
    """Name the editor of a Git target, and say where it looks; paths start at the target's own path."""
    if target.kustomize is not None:
        return "kustomize", Locator(path=_below(path, target.kustomize.path), name=target.kustomize.name or image)
    if target.helm is not None:
        helm = target.helm
        file = _below(path, helm.file or "")
        return "helm", Locator(path=file, name=helm.name, tag=helm.tag, digest=helm.digest, spec=helm.spec)
    return "marker", Locator(path=path, name=target.marker)


def _below(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


class WatchedFiles:
    """Says whether files changed since the last question; a touched file with the same bytes did not.

    Files are looked at through symlinks, so the swap by which Kubernetes renews a ConfigMap counts.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._seen = {name: _stamp(name) for name in files}
        self._sums = {name: _sum(name) for name in files}
        self._filled = {name for name, content in self._sums.items() if content not in {None, _NOTHING}}

    def emptied_since(self, before: WatchedFiles) -> list[str]:
        """Name the files that held something when *before* was made and held nothing when this was."""
        return sorted(before._filled - self._filled)

    def changed(self) -> bool:
        """Look at every file: a new content, a file that is gone and one that came are changes."""
        is_changed = False
        for name, before in self._seen.items():
            stamp = _stamp(name)
            if stamp == before:
                continue
            content = _sum(name)
            is_changed = is_changed or content != self._sums[name]
            self._seen[name], self._sums[name] = stamp, content
        return is_changed


def _stamp(name: str) -> tuple[int, ...] | None:
    try:
        found = Path(name).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _sum(name: str) -> bytes | None:
    try:
        return hashlib.sha256(Path(name).read_bytes()).digest()
    except (OSError, ValueError):
        return None


def problems_of(error: ConfigError) -> tuple[Problem, ...]:
    """Return everything that *error* says as problems, at least one."""
    if error.problems:
        return error.problems
    return (Problem(path=error.path, code=error.code, message=error.message, hint=error.hint, origin=ORIGIN),)
