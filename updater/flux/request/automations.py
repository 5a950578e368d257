"""What an ImageUpdateAutomation asks for: which policies it writes where, and how it commits.

Source: https://fluxcd.io/flux/components/image/imageupdateautomations/ and the conditions that its controller gives, in the order
in which it finds them.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import mapping_in
from updater.errors import ConfigError, UpdaterError
from updater.flux.kinds import GIT_REPOSITORY
from updater.flux.request.destinations import PushRequest, check_text, destination_for
from updater.flux.request.durations import read_duration
from updater.flux.request.git_repositories import read_reference
from updater.flux.request.image_repositories import GATE
from updater.flux.request.proposals import AT, NO_DEFAULTS, proposed, read_proposal
from updater.flux.request.reading import FluxObject, ObjectRefused, attempt, text_in
from updater.flux.request.requests import AutomationRequest, ObjectFault
from updater.flux.request.selectors import LabelSelector, read_selector
from updater.model.credential import is_object_name
from updater.model.subscription import CommitSpec
from updater.settings import checks
from updater.settings.fields import NOT_YET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.flux.request.requests import GitRepositoryRequest
    from updater.kube.kinds import Key
    from updater.model.subscription import GitBranch
    from updater.settings.proposals import ProposalSettings

    TryTemplate = Callable[[str, Mapping[str, str]], None]

#: the message of a commit whose automation has no template
DEFAULT_MESSAGE: Final = "Update from image update automation"
KIND: Final = GIT_REPOSITORY.name
_LONGEST_PATH: Final = 4095
_SETTERS: Final = "Setters"
_INVALID_SOURCE: Final = "InvalidSourceConfiguration"
_MANAGER: Final = "failed configuring source manager"
_DOCS: Final = "See: https://fluxcd.io/flux/components/image/imageupdateautomations/#message-template"
#: fields that left the data of a message, by the last part of their name
_REMOVED: Final = {
    "Updated": f"template uses removed '.Updated' field. Please use '.Changed' instead. {_DOCS}",
    "ImageResult": (
        "template uses removed '.Changed.ImageResult' field. Please use '.Changed.FileChanges' or '.Changed.Objects' instead. "
        f"{_DOCS}"
    ),
}
_TEMPLATE: Final = ("spec", "git", "commit", "messageTemplate")
_CLOUDS: Final = ("aws", "azure")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationDraft:
    """An automation as far as it is known without its GitRepository: *early* ends it before, *late* after that is looked at.

    *reference* is what ``git.checkout.ref`` names, None where the GitRepository names it; *proposal* is what an annotation asks
    for, *proposal_defaults* what holds where that does not say.
    """

    item: FluxObject
    source: Key
    interval: float
    selector: LabelSelector = field(default_factory=LabelSelector)
    reference: Mapping[str, str] | None = None
    push: PushRequest = field(default_factory=PushRequest)
    path: str = "."
    commit_spec: CommitSpec | None = None
    proposal: ProposalSettings | None = None
    proposal_defaults: ProposalSettings = NO_DEFAULTS
    early: ObjectFault | None = None
    late: ObjectFault | None = None


def read_automation(
    item: FluxObject,
    *,
    crosses_namespaces: bool = True,
    try_template: TryTemplate | None = None,
    proposal_defaults: ProposalSettings = NO_DEFAULTS,
) -> AutomationDraft:
    """Read an ImageUpdateAutomation; nothing that stands in it makes this raise.

    *try_template* renders the template of a message with its values, and raises `TemplateError` where that fails.
    """
    proposal, unread = attempt(item, _proposal)
    reference = mapping_in(item.spec, "sourceRef")
    source = text_in(reference, "namespace") or item.key[0], text_in(reference, "name")
    git = mapping_in(item.spec, "git")
    selector, early = attempt(item, _selector)
    commit_spec, late = attempt(item, _commit_spec)
    if late is None and commit_spec is not None:
        late = _template_fault(item, commit_spec, try_template)
    push = mapping_in(git, "push")
    return AutomationDraft(
        item=item,
        source=source,
        interval=max(read_duration(item.spec.get("interval")) or 0.0, 1.0),
        selector=selector or LabelSelector(),
        reference=read_reference(mapping_in(git["checkout"], "ref")) if isinstance(git.get("checkout"), dict) else None,
        push=PushRequest(branch=text_in(push, "branch"), refspec=text_in(push, "refspec"), options=_texts(push, "options")),
        path=tree_in(text_in(mapping_in(item.spec, "update"), "path")),
        commit_spec=commit_spec,
        proposal=proposal,
        proposal_defaults=proposal_defaults,
        early=early or _source_fault(item, source, crosses_namespaces=crosses_namespaces),
        late=_strategy_fault(item) or late or _path_fault(item) or unread,
    )


def complete(draft: AutomationDraft, repository: GitRepositoryRequest | None) -> AutomationRequest:
    """Return what an automation asks for, now that its GitRepository is known; None is one that is not there."""
    branch, fault = _branch(draft, repository) if draft.early is None else (None, draft.early)
    fault = fault or draft.late
    return AutomationRequest(
        key=draft.item.key,
        source=draft.source,
        interval=draft.interval,
        branch=branch if fault is None else None,
        path=draft.path,
        commit_spec=draft.commit_spec,
        is_suspended=draft.item.is_suspended,
        requested_at=draft.item.requested_at,
        fault=fault,
    )


def tree_in(path: str) -> str:
    """Return the tree below which markers count, from the root of the repository; nothing leads out of it."""
    return posixpath.normpath(f"/{path}").lstrip("/") or "."


def _selector(item: FluxObject) -> LabelSelector:
    try:
        return read_selector(item.spec.get("policySelector"))
    except ConfigError as error:
        problem = item.problem(("spec", "policySelector"), error.code, error.message, error.hint)
        message = f"failed to parse policy selector: {error.message}"
        raise item.refused("InvalidPolicySelector", message, problem, is_stalled=True) from None


def _source_fault(item: FluxObject, source: Key, *, crosses_namespaces: bool) -> ObjectFault | None:
    """Return what is wrong before anything else is looked at."""
    kind = mapping_in(item.spec, "sourceRef").get("kind", KIND)
    if kind != KIND:
        problem = item.problem(("spec", "sourceRef", "kind"), "bad-value", f"expected {KIND}", f"write kind: {KIND}")
        message = f"source kind '{kind}' not supported: invalid source configuration"
        return item.fault(_INVALID_SOURCE, message, problem, is_stalled=True)
    if not isinstance(item.spec.get("git"), dict):
        problem = item.problem(("spec", "git"), "missing-key", "this field is missing", "write git.commit.author.email at least")
        message = f"source kind '{KIND}' necessitates field .spec.git: invalid source configuration"
        return item.fault(_INVALID_SOURCE, message, problem, is_stalled=True)
    if source[0] != item.key[0] and not crosses_namespaces:
        hint = f"copy the GitRepository to the namespace {item.key[0]}"
        where = "the GitRepository is in another namespace, and references to others are switched off"
        problem = item.problem(("spec", "sourceRef", "namespace"), "cross-namespace", where, hint)
        message = f"can't access '{KIND}/{source[0]}/{source[1]}', cross-namespace references have been blocked"
        return item.fault("AccessDenied", message, problem, is_stalled=True)
    if read_duration(item.spec.get("interval")) is None:
        problem = item.problem(("spec", "interval"), "duration", "this is not a duration", "write interval: 30m")
        return item.fault("Failure", "spec.interval is not a duration such as 30m", problem, is_stalled=True)
    return None


def _branch(draft: AutomationDraft, repository: GitRepositoryRequest | None) -> tuple[GitBranch | None, ObjectFault | None]:
    item = draft.item
    if repository is None:
        said = f"there is no GitRepository {draft.source[0]}/{draft.source[1]}"
        problem = item.problem((), "reference-missing", said, "create it, or correct spec.sourceRef")
        gone = f'{KIND}.source.toolkit.fluxcd.io "{draft.source[1]}" not found'
        message = f"{_MANAGER}: referenced git repository does not exist: {gone}"
        return None, item.fault("SourceManagerFailed", message, problem)
    if fault := _provider_fault(item, repository):
        return None, fault
    reference = repository.reference if draft.reference is None else draft.reference
    try:
        branch = destination_for(repository, reference, draft.push)
    except ConfigError as error:
        problem = item.problem((), error.code, error.message, error.hint)
        return None, item.fault("SourceManagerFailed", f"{_MANAGER}: {error.message}", problem)
    if draft.proposal is None:
        return branch, None
    try:
        return proposed(branch, draft.push, item.key, draft.proposal, draft.proposal_defaults), None
    except UpdaterError as error:
        return None, _proposal_fault(item, error)


def _proposal(item: FluxObject) -> ProposalSettings | None:
    try:
        return read_proposal(item.metadata)
    except UpdaterError as error:
        raise ObjectRefused(_proposal_fault(item, error)) from None


def _proposal_fault(item: FluxObject, error: UpdaterError) -> ObjectFault:
    problem = item.problem(AT, error.code, error.message, error.hint)
    return item.fault("InvalidProposal", f"annotation {AT[-1]}: {error.message}", problem, is_stalled=True)


def _provider_fault(item: FluxObject, repository: GitRepositoryRequest) -> ObjectFault | None:
    where = f"the GitRepository {repository.key[0]}/{repository.key[1]}"
    if repository.provider == "github" and not repository.secret:
        said = f"{where} has the provider github and no secretRef"
        problem = item.problem((), "missing-key", said, "name the Secret with the data of the GitHub App")
        message = "secretRef with github app data must be specified when provider is set to github: invalid source configuration"
        return item.fault(_INVALID_SOURCE, message, problem, is_stalled=True)
    if repository.provider not in _CLOUDS:
        return None
    said = f"the provider {repository.provider} of {where} is not asked for credentials in this version"
    problem = item.problem((), NOT_YET, said, "write provider: generic and a secretRef, or wait for the version that has it")
    if repository.service_account:
        message = (
            f"to use spec.serviceAccountName for provider authentication please enable the {GATE} feature gate in the controller"
        )
        return item.fault("FeatureGateDisabled", message, problem, is_stalled=True)
    message = f"{_MANAGER}: failed to configure authentication options: {said}"
    return item.fault("SourceManagerFailed", message, problem, is_stalled=True)


def _strategy_fault(item: FluxObject) -> ObjectFault | None:
    strategy = mapping_in(item.spec, "update").get("strategy")
    if strategy in (None, "", _SETTERS):
        return None
    problem = item.problem(("spec", "update", "strategy"), "bad-value", f"expected {_SETTERS}", f"write {_SETTERS}")
    message = f"unsupported update strategy: {strategy}"
    return item.fault("InvalidUpdateStrategy", message, problem, is_stalled=True)


def _path_fault(item: FluxObject) -> ObjectFault | None:
    try:
        check_text("update.path", text_in(mapping_in(item.spec, "update"), "path"), longest=_LONGEST_PATH, code="path")
    except ConfigError as error:
        problem = item.problem(("spec", "update", "path"), error.code, error.message, error.hint)
        return item.fault("UpdateFailed", f"failed to apply policies: {error.message}", problem)
    return None


def _commit_spec(item: FluxObject) -> CommitSpec:
    commit = mapping_in(mapping_in(item.spec, "git"), "commit")
    author = mapping_in(commit, "author")
    email = text_in(author, "email")
    if not email:
        place = ("spec", "git", "commit", "author", "email")
        problem = item.problem(place, "missing-key", "this field is missing", "write the address of the author")
        message = "spec.git.commit.author.email is missing: invalid source configuration"
        raise item.refused(_INVALID_SOURCE, message, problem, is_stalled=True)
    return CommitSpec(
        name=text_in(author, "name") or email,
        email=email,
        message=text_in(commit, "messageTemplate") or DEFAULT_MESSAGE,
        values=tuple(sorted(_texts(commit, "messageTemplateValues").items())),
        signing=_signing(item, commit),
        owner="/".join(item.key),
    )


def _signing(item: FluxObject, commit: Mapping[str, Any]) -> str:
    """Return the reference of the key that signs, "" where nothing does."""
    if not isinstance(commit.get("signingKey"), dict):
        return ""
    key = mapping_in(commit, "signingKey")
    kind, name = text_in(key, "type") or "gpg", text_in(mapping_in(key, "secretRef"), "name")
    place = ("spec", "git", "commit", "signingKey")
    if not is_object_name(name):
        said = f"{name!r} is not the name of a Secret"
        problem = item.problem((*place, "secretRef", "name"), "credential-ref", said, "name the Secret with the key")
        message = f"{_MANAGER}: could not find signing key secret '{name}': secrets \"{name}\" not found"
        raise item.refused("SourceManagerFailed", message, problem)
    if kind not in {"gpg", "ssh"}:
        problem = item.problem((*place, "type"), "bad-value", "expected gpg or ssh", "write type: gpg or type: ssh")
        raise item.refused("SourceManagerFailed", f'{_MANAGER}: unknown signing key type "{kind}"', problem)
    return f"secret:{item.key[0]}/{name}#{kind}"


def _template_fault(item: FluxObject, spec: CommitSpec, try_template: TryTemplate | None) -> ObjectFault | None:
    if spec.message == DEFAULT_MESSAGE:
        return None
    try:
        checks.check_template(spec.message)
    except UpdaterError as error:
        problem = item.problem(_TEMPLATE, error.code, error.message, error.hint)
        message = f"failed to update source: unable to create commit message template from spec: {error.message}"
        return item.fault("GitOperationFailed", message, problem)
    try:
        if try_template is not None:
            try_template(spec.message, dict(spec.values))
    except UpdaterError as error:
        problem = item.problem(_TEMPLATE, error.code, error.message, error.hint)
        if removed := next((said for name, said in _REMOVED.items() if f"evaluate field {name} in" in error.message), None):
            return item.fault("RemovedTemplateField", removed, problem, is_stalled=True)
        message = f"failed to update source: failed to run template from spec: {error.message}"
        return item.fault("GitOperationFailed", message, problem)
    return None


def _texts(parent: Mapping[str, Any], key: str) -> dict[str, str]:
    return {name: value for name, value in mapping_in(parent, key).items() if isinstance(value, str)}
