"""The settings of pull requests, and which branch and options they come to for one target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from updater.errors import ConfigError
from updater.model.publishing import AutoMerge, Proposal, ProposalOptions, ProposalScope, as_branch, proposal_branch
from updater.settings import checks, fields
from updater.settings.node import Node

_GROUP_HINT: Final = "add group: NAME; all that name it to one branch are one pull request"
_BRANCH_HINT: Final = "let the template name what it is for: bump/{{ .Base }}/{{ .Key }}"
_MOST_OPEN: Final = 10_000


class ProposalSettings(Node):
    """How changes are proposed by pull requests."""

    per: ProposalScope | None = None
    """What has a pull request of its own: subscription (the default), group, or destination, which is everything that reads one
    branch."""
    group: fields.GroupName | None = None
    """The name of the group, for per: group."""
    branch: fields.BranchTemplate | None = None
    """A Go template for the name of the branch, with .Key, .Namespace, .Base and .Group. The default is updater/ with the branch
    that is read, a / and the key or the group."""
    title: fields.Template | None = None
    """A Go template for the title, with the data of git.message; the default is the subject of the commit."""
    body: fields.Template | None = None
    """A Go template for a text above the table of changes, with the data of git.message; the default is none."""
    labels: tuple[fields.Label, ...] | None = None
    """Labels that a new pull request gets; the default is none."""
    reviewers: tuple[fields.Account, ...] | None = None
    """User names, or org/team where the forge has teams, that are asked to review a new pull request; the default is none."""
    assignees: tuple[fields.Account, ...] | None = None
    """User names to which a new pull request is assigned; the default is none."""
    draft: bool | None = None
    """Whether a pull request is opened as a draft; the default is false."""
    auto_merge: AutoMerge | None = None
    """The largest step of a version that is merged without people, once checks and approvals allow it: never (the default),
    patch, minor or always."""
    limit: Annotated[int, Field(ge=0, le=_MOST_OPEN)] | None = None
    """How many pull requests of updater may be open at one time from one repository to one branch; 0, the default, is any
    number."""

    @model_validator(mode="after")
    def _group_where_grouped(self) -> Self:
        if self.group is not None and self.per not in {None, ProposalScope.GROUP}:
            hint = "write per: group, or take group: out"
            raise fields.flawed((("group",), "conflict", f"a group has no meaning with per: {self.per}", hint))
        return self


class ProposalDefaults(ProposalSettings):
    """The defaults of pull requests, and whose they are."""

    owner: fields.GroupName | None = None
    """A name for this installation, which no other one has: pull requests that carry it and that the configuration no longer
    names are closed, also those that left it while the program did not run. The default is a random name in the folder state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalPlace:
    """What is known at load of who proposes: its *key*, the *namespace* of its object, the *base* that is read."""

    key: str
    base: str
    namespace: str = ""


def proposal_of(asked: ProposalSettings, defaults: ProposalSettings, place: ProposalPlace) -> Proposal:
    """Return how the changes of *place* are proposed; what *asked* does not say, *defaults* say.

    Raises `ConfigError` with the codes ``proposal-group`` and ``proposal-branch``, and `TemplateError`.
    """
    merged = defaults.model_copy(update=_said(asked))
    per = merged.per or (ProposalScope.GROUP if asked.group else ProposalScope.SUBSCRIPTION)
    group = _group(per, asked, merged)
    own = {ProposalScope.SUBSCRIPTION: place.key, ProposalScope.GROUP: group, ProposalScope.DESTINATION: ""}[per]
    name = _named(merged.branch, place, group) if merged.branch is not None else proposal_branch(place.base, own)
    options = ProposalOptions(
        title=merged.title or "",
        body=merged.body or "",
        labels=merged.labels or (),
        reviewers=merged.reviewers or (),
        assignees=merged.assignees or (),
        is_draft=merged.draft or False,
        auto_merge=merged.auto_merge or AutoMerge.NEVER,
        limit=merged.limit or 0,
    )
    return Proposal(name, options, part=f"{per} {own}" if own else "")


def _said(settings: ProposalSettings) -> dict[str, Any]:
    return {name: value for name in ProposalSettings.model_fields if (value := getattr(settings, name)) is not None}


def _group(per: ProposalScope, asked: ProposalSettings, merged: ProposalSettings) -> str:
    if per is ProposalScope.GROUP:
        if merged.group is None:
            raise ConfigError("per: group needs the name of the group", hint=_GROUP_HINT, code="proposal-group")
        return merged.group
    if asked.group is not None:
        message = f"the group {asked.group} has no meaning with per: {per} of git.proposal"
        raise ConfigError(message, hint="write per: group beside group:", code="proposal-group")
    return ""


def _named(template: str, place: ProposalPlace, group: str) -> str:
    name = as_branch(
        checks.render_branch(template, key=place.key, namespace=place.namespace, base=place.base, group=group).strip()
    )
    if not name:
        raise ConfigError("the template makes no name of a branch", hint=_BRANCH_HINT, code="proposal-branch")
    if name == place.base:
        message = f"the template makes {name!r}, which is the branch that is read"
        raise ConfigError(message, hint=_BRANCH_HINT, code="proposal-branch")
    return name
