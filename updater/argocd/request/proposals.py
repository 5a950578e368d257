"""How the values of an Application are proposed: by our annotation, or by the `pullRequest` block of the peer.

The peer opens a pull request for each change of an Application; here the block is one living pull request of the Application.
What an annotation names is its author's own: a group, and a pull request of everything, are those of the namespace, and neither
forge nor token can be chosen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.argocd.request.fields import PullRequest, read_pull_request
from updater.errors import ConfigError, ForgeError, UpdaterError
from updater.forge.address import ForgeKind, locate_repository
from updater.model.publishing import Direct, ProposalScope, proposal_branch
from updater.settings.annotated import read_annotated_proposal
from updater.settings.proposals import ProposalPlace, ProposalSettings, proposal_of

if TYPE_CHECKING:
    from updater.argocd.request.applications import Application
    from updater.argocd.request.layers import Setting, Settings
    from updater.model.publishing import Proposal
    from updater.model.subscription import Destination, GitBranch

PROPOSAL: Final = "proposal"
PULL_REQUEST: Final = "pull-request"
#: what stands for the base in names where nobody has listed yet which branch HEAD is
_HEAD: Final = "default"
_LONGEST_GITHUB_LABEL: Final = 50


def proposed(
    destination: Destination, application: Application, key: str, levels: tuple[Settings, Settings], defaults: ProposalSettings
) -> Destination:
    """Return where the image of the subscription *key* is written if somebody asked for a pull request; raise `FieldRefused`.

    *levels* are the settings of the image and those of writing back.
    """
    image, write_back = levels
    own, block = image.get(PROPOSAL), write_back.get(PULL_REQUEST)
    asked = own.read(read_annotated_proposal) if own is not None else None
    setting = block if own is None else own if asked is not None else None
    if setting is None:
        return destination
    if destination.method != "git":
        if own is None:
            return destination  # the whole block of the peer is about Git, and means nothing to live Applications
        raise own.flaw(
            "nothing can be proposed for a live Application", code="conflict", hint="write to Git: write-back-method: git"
        )
    if not isinstance(destination.publishing, Direct):
        hint = "write the base alone; proposal has a branch for the name of the other one"
        at = write_back.get("git-branch", setting)
        raise at.flaw("a pull request has a branch of its own, and another one is named here", code="conflict", hint=hint)
    place = ProposalPlace(key=key, base=destination.branch or _HEAD, namespace=application.namespace)
    if asked is not None:
        made = _made(setting, _own(asked, defaults, application), defaults, place)
        if proposal_branch(place.base, "x").startswith(f"{made.name}/"):
            message = f"the branch {made.name} would be the folder of all others from which changes are proposed"
            hint = "let the name go on: updater/{{ .Base }}/{{ .Key }}"
            raise setting.flaw(message, code="proposal-branch", hint=hint)
    else:
        made = _of_block(setting, destination, defaults, replace(place, key=str(application)))
    return replace(destination, publishing=made)


def _made(setting: Setting, asked: ProposalSettings, defaults: ProposalSettings, place: ProposalPlace) -> Proposal:
    try:
        return proposal_of(asked, defaults, place)
    except UpdaterError as error:
        raise setting.flaw(error.message, code=error.code, hint=error.hint) from None


def _own(asked: ProposalSettings, defaults: ProposalSettings, application: Application) -> ProposalSettings:
    """Return *asked* within the namespace: the pull request of another tenant cannot be joined by naming its group."""
    if asked.group is not None:
        return asked.model_copy(update={"group": f"{application.namespace}/{asked.group}"})
    if (asked.per or defaults.per) is ProposalScope.DESTINATION:
        return asked.model_copy(update={"per": ProposalScope.GROUP, "group": application.namespace})
    return asked


def _of_block(setting: Setting, destination: GitBranch, defaults: ProposalSettings, place: ProposalPlace) -> Proposal:
    """Return what a `pullRequest` block asks for: one pull request of the Application, on the forge that it names."""
    block = setting.read(read_pull_request)
    kind = setting.read(lambda _: _forge(block, destination.url))
    asked = ProposalSettings(per=ProposalScope.GROUP).model_copy(update={"group": place.key, "labels": block.labels or None})
    made = _made(setting, asked, defaults, place)
    return replace(made, options=replace(made.options, forge=kind))


def _forge(block: PullRequest, url: str) -> str:
    """Return the kind of the forge; raise `ConfigError` where it is not there yet, or the repository lies on another one."""
    if block.provider not in set(ForgeKind):
        message = f"pull requests of {block.provider} are not in this version, and nothing is pushed to the branch instead"
        raise ConfigError(message, hint="take it out, or wait for the version that has it", code="not-yet")
    longest = max((len(label) for label in block.labels), default=0)
    if block.provider == "github" and longest > _LONGEST_GITHUB_LABEL:
        raise ConfigError("a label is longer than the 50 characters that GitHub takes", hint="shorten it", code="proposal-label")
    locate_repository(url, kind=ForgeKind(block.provider))
    found = _known_forge(url)
    if found not in {"", block.provider}:
        raise ConfigError(
            f"the block names {block.provider}, and the repository lies on {found}", hint=f"write {found}: {{}}", code="forge"
        )
    return block.provider


def _known_forge(url: str) -> str:
    """Return the kind of the forge that the host of a repository tells, "" for none."""
    try:
        return locate_repository(url).kind
    except ForgeError:
        return ""
