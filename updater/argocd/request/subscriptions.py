"""How one image that somebody listed for one Application becomes a subscription, or why it does not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.argocd.request import values
from updater.argocd.request.annotations import HELM, KUSTOMIZE, WRITE_BACK
from updater.argocd.request.applications import KIND
from updater.argocd.request.layers import FieldProblem, FieldRefused, Setting, read_in
from updater.argocd.request.proposals import proposed
from updater.argocd.request.targets import PLUGIN, live_names, target_for, write_back
from updater.errors import UpdaterError
from updater.inventory.default_branches import DefaultBranches
from updater.inventory.precedence import Precedence
from updater.model.gates import MOST_COUNTED, NO_GATES, GateRules
from updater.model.image import AliasedImage, parse_aliased
from updater.model.outcome import Outcome, Status
from updater.model.release import DeliveryOptions, OnBad, Workload
from updater.model.subscription import (
    CommitSpec,
    Downgrade,
    Form,
    Origin,
    Subscription,
    TagFilter,
    Variant,
)
from updater.policies.globs import name_matcher
from updater.settings.decisions import join_levels
from updater.settings.delivery_annotations import DELIVERY_KEYS, ON_BAD, with_delivery
from updater.settings.gate_annotations import GATE_KEYS, GROUP, with_gates
from updater.settings.proposals import ProposalSettings

if TYPE_CHECKING:
    from updater.argocd.request.applications import Application
    from updater.argocd.request.layers import ApplicationRequest, ImageRequest, Place, Settings
    from updater.model.decision import Decision
    from updater.model.image import Platform
    from updater.model.subscription import CredentialRef, Destination, PolicySpec, Target

GIT_ONLY: Final = tuple(key for key in WRITE_BACK if key != "write-back-method")
NOT_LIVE: Final = "not-live"
_WITHOUT_CONSTRAINT: Final = frozenset({"latest", "name"})
UNKNOWN_TYPE: Final = "application-type"
_WAITING: Final = frozenset({NOT_LIVE, UNKNOWN_TYPE, "annotations-unused", "not-yet", GROUP})
#: who commits for the peer's objects where nobody says otherwise: the defaults of its --git-commit-user and --git-commit-email
PEER_AUTHOR: Final = CommitSpec(name="argocd-image-updater", email="noreply@argoproj.io")
_IN_NAMESPACE: Final = frozenset({"secret", "pullsecret"})
_NO_DEFAULTS: Final = ProposalSettings()
_NO_VERIFICATION: Final = "signatures are not checked in this version, and an image that must be verified is not written"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationDefaults:
    """What holds where no object says otherwise.

    *namespace* is that of Argo CD, *interval* is in seconds. With *annotated* an Application whose annotations list
    images is kept current although no ImageUpdater selects it, as before version 1.0 of the peer. *credentials* are those
    that objects may name besides Secrets of their own namespace; None is any variable in Argo CD's namespace, and none
    elsewhere. *is_configured* is false where nobody knows what the operator lists: manifests from Git.
    *git_credentials_for* are the namespaces, globs among them, whose Applications need not bring a Secret for Git. *branches*
    name what objects call HEAD, *precedence* says who keeps what several claim. *proposal* is what holds for pull requests where
    an object asks for one and does not say otherwise. *gates* say when images are written, *delivery* how releases are followed,
    None where they are not.
    """

    namespace: str = "argocd"
    interval: float = 120.0
    commit_spec: CommitSpec = PEER_AUTHOR
    annotated: bool = True
    credentials: tuple[CredentialRef, ...] | None = None
    git_credentials_for: tuple[str, ...] = ("*",)
    is_configured: bool = True
    gates: GateRules = NO_GATES
    delivery: DeliveryOptions | None = None
    proposal: ProposalSettings = _NO_DEFAULTS
    branches: DefaultBranches = field(default_factory=DefaultBranches, compare=False)
    precedence: Precedence = field(default_factory=Precedence, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTranslation:
    """What becomes of one listed image: its subscription, or the *code* and *sentence* that say why there is none.

    *application* is ``namespace/name``, *image* the entry as listed; *asked_by* the object that lists it. *writer* is the key
    of the subscription that writes the same to the same place, where there is one. *hint* is what helps, *group* the
    group of images of this Application that it is a member of.
    """

    application: str
    alias: str | None
    image: str
    asked_by: str
    sentence: str
    code: str | None = None
    hint: str = ""
    subscription: Subscription | None = None
    writer: str = ""
    group: str = ""


def answer_image(
    application: Application, request: ApplicationRequest, image: ImageRequest, defaults: TranslationDefaults
) -> tuple[ImageTranslation, tuple[FieldProblem, ...]]:
    """Return what becomes of one image; never raises: what is wrong ends this image alone."""
    try:
        listed, policy = check_image(image.text, image.place, image.settings)
        absence = _absence(application, image, listed)
        subscription = None if absence else _subscription(application, request, image, (listed, policy, defaults))
    except FieldRefused as wrong:
        # of a manifest that Argo CD never compared nobody can know the type: an answer, but nothing wrong
        is_unknown = wrong.flaw.code == UNKNOWN_TYPE and application.live is None
        return refused(application, request, image, wrong.flaw), () if is_unknown else (wrong.flaw,)
    answer = ImageTranslation(
        application=str(application),
        alias=image.alias,
        image=image.text,
        asked_by=request.asked_by,
        sentence=absence if subscription is None else _said(subscription, image, request.write_back),
        code=NOT_LIVE if absence else None,
        subscription=subscription,
        group=_group(application, image),
    )
    unused = _unused_constraint(image, listed, policy)
    return answer, (unused,) if unused else ()


def _unused_constraint(image: ImageRequest, listed: AliasedImage, policy: PolicySpec) -> FieldProblem | None:
    """Return that a constraint filters nothing under this strategy; the image is kept current all the same, as with the peer."""
    if not listed.constraint or policy.kind not in _WITHOUT_CONSTRAINT:
        return None
    expression = re.escape(listed.constraint).replace(r"\*", ".*").replace(r"\?", ".").replace(r"\-", "-")
    pattern = f"^{expression}$".removesuffix(".*$")
    is_object = image.place[:1] != ("metadata",)
    key = "allowTags" if is_object else f"{image.alias}.allow-tags" if image.alias else "allow-tags"
    strategy = image.settings["update-strategy"].value
    message = f"the strategy {strategy} ignores the constraint {listed.constraint!r} of {listed.image}: every tag takes part"
    hint = f"remove :{listed.constraint}; to filter tags write {key}: regexp:{pattern}, for a range use the strategy semver"
    return Setting(image.text, image.place).flaw(message, code="constraint", hint=hint).flaw


def check_image(text: str, place: Place, settings: Settings) -> tuple[AliasedImage, PolicySpec]:
    """Read what is said of one image alone: the entry, its policy, and that one target has the word; raise `FieldRefused`."""
    kind = read_in(settings, "update-strategy", values.read_strategy, default="semver")
    # a constraint that is no range is wrong in the list, not in the strategy
    try:
        listed = parse_aliased(text)
        policy = values.read_policy(kind, listed)
    except UpdaterError as error:
        raise Setting(text, place).flaw(error.message, code=error.code, hint=error.hint) from None
    if KUSTOMIZE in settings and (helm := next((settings[key] for key in HELM if key in settings), None)):
        message = f"{listed.alias or listed.image} is written by helm ({helm.name}) and by kustomize"
        raise settings[KUSTOMIZE].flaw(message, code="target", hint="keep the annotations of one of them")
    return listed, policy


def refused(application: Application, request: ApplicationRequest, image: ImageRequest, flaw: FieldProblem) -> ImageTranslation:
    """Return that an image is not kept current because of a flaw."""
    return ImageTranslation(
        application=str(application),
        alias=image.alias,
        image=image.text,
        asked_by=request.asked_by,
        sentence=flaw.message,
        code=flaw.code,
        hint=flaw.hint,
        group=_group(application, image),
    )


def _group(application: Application, image: ImageRequest) -> str:
    """Return the group that an image is a member of, "" for none: a name means images of one Application alone."""
    asked = image.settings.get(GROUP)
    name = asked.value.strip() if asked is not None and isinstance(asked.value, str) else ""
    return f"{application}/{name}" if name and name.lower() != "none" else ""


def refusal(answer: ImageTranslation) -> Outcome:
    """Return an answer without a subscription as the outcome that it is: waiting for the image to run, or failed."""
    return Outcome(
        key=f"{answer.application}/{answer.alias or answer.image}",
        target=answer.asked_by,
        status=Status.HELD if answer.code in _WAITING else Status.FAILED,
        detail=answer.sentence,
        code=answer.code,
        hint=answer.hint,
    )


def _absence(application: Application, image: ImageRequest, listed: AliasedImage) -> str:
    """Return that an image does not run, unless it is wanted all the same; nothing is known of a manifest from Git."""
    if read_in(image.settings, "force-update", values.read_boolean, default=False):
        return ""
    if application.live is None or application.running(*live_names(image, listed.image)):
        return ""
    return f"{listed.image} does not run in {application}; force-update lets it move all the same"


def _subscription(
    application: Application,
    request: ApplicationRequest,
    image: ImageRequest,
    context: tuple[AliasedImage, PolicySpec, TranslationDefaults],
) -> Subscription:
    listed, policy, defaults = context
    settings = image.settings
    _check_built(settings)
    usual = Form.TAG_AND_DIGEST if policy.kind == "digest" else Form.TAG
    form = read_in(settings, "form", values.read_form, default=usual)
    key = key_of(application, image, listed)
    return Subscription(
        key=key,
        image=listed.image,
        policy=policy,
        filter=_filter(settings),
        platforms=_platforms(settings),
        # the peer knows neither suffixes nor shapes: under its objects its own rules choose
        variant=read_in(settings, "variant", values.read_variant, default=Variant.ANY),
        downgrade=_downgrade(settings),
        is_shape_locked=False,
        targets=(_target(application, request, image, (listed, form, defaults)),),
        interval=_interval(settings, defaults),
        credential=_credential(settings, application, defaults),
        delivery=_delivery(settings, request.write_back, application, defaults),
        gates=replace(_gates(settings, request.write_back, defaults), group=_group(application, image) or None),
        decisions=_decisions(image, key),
        origin=Origin(kind=KIND, name=str(application), since=application.since),
    )


def _delivery(
    settings: Settings, write_back: Settings, application: Application, defaults: TranslationDefaults
) -> DeliveryOptions | None:
    """Read how releases are followed: the Application says what it applied.

    A live Application has no commits to take back: that is refused there, and as a default does not count.
    """
    said = {name: settings[name].read(partial(values.read_delivery_text, name)) for name in DELIVERY_KEYS if name in settings}
    options = with_delivery(defaults.delivery, said)
    if options is None:
        return None
    method = read_in(write_back, "write-back-method", values.read_method, default=values.WriteBackMethod(kind="argocd"))
    if method.kind != "git" and options.on_bad is not OnBad.REPORT:
        if ON_BAD in settings:
            message = "not supported for a live Application in this version: it has no commits that could be taken back or held"
            raise settings[ON_BAD].flaw(message, code="not-yet", hint="write to Git, or on-bad: report")
        options = replace(options, on_bad=OnBad.REPORT)
    agent = None if options.workload else Workload(KIND, application.namespace, application.name)
    return replace(options, agent=agent)


def _gates(settings: Settings, write_back: Settings, defaults: TranslationDefaults) -> GateRules:
    """Read when an image may be written.

    A live Application remembers few changes: a larger rate is refused there, and as a default does not count.
    """
    said = {name: settings[name].read(partial(values.read_gate_text, name)) for name in GATE_KEYS if name in settings}
    rules = with_gates(defaults.gates, said)
    method = read_in(write_back, "write-back-method", values.read_method, default=values.WriteBackMethod(kind="argocd"))
    if method.kind == "git" or rules.max_changes is None or rules.max_changes.count <= MOST_COUNTED:
        return rules
    if "max-changes" in settings:
        message = f"of a live Application {MOST_COUNTED} changes are counted at most"
        raise settings["max-changes"].flaw(message, code="rate", hint="name a shorter time with fewer changes, or write to Git")
    return replace(rules, max_changes=None)


def key_of(application: Application, image: ImageRequest, listed: AliasedImage) -> str:
    """Return the key of the subscription of one listed image."""
    return f"{application}/{image.alias or listed.image.spelled}"


def _decisions(image: ImageRequest, key: str) -> tuple[Decision, ...]:
    """Read what people decided about an image; what cannot be read ends the image, so that nothing is written."""
    return join_levels(
        {
            kind: said.read(partial(values.read_decision, kind, key=key, where=f"{level.origin} {said.name}"))
            for kind, said in level.settings.items()
        }
        for level in image.decided
    )


def _check_built(settings: Settings) -> None:
    hint = "take it out, or wait for the version that has it"
    if "verification" in settings:
        raise settings["verification"].flaw(_NO_VERIFICATION, code="not-yet", hint=hint)


def _target(
    application: Application,
    request: ApplicationRequest,
    image: ImageRequest,
    context: tuple[AliasedImage, Form, TranslationDefaults],
) -> Target:
    listed, form, defaults = context
    settings = image.settings
    is_plugin = any(key in settings for key in PLUGIN)
    how = write_back(application, request.write_back, namespace=defaults.namespace, is_plugin=is_plugin)
    _check_git(how.destination, application, request, defaults)
    levels = (settings, request.write_back)
    destination = proposed(how.destination, application, key_of(application, image, listed), levels, defaults.proposal)
    made = target_for(image, listed.image, replace(how, destination=destination), form, application)
    return replace(made, interval=_interval(settings, defaults), commit_spec=defaults.commit_spec)


def _interval(settings: Settings, defaults: TranslationDefaults) -> float:
    return read_in(settings, "interval", values.read_interval, default=defaults.interval)


def _filter(settings: Settings) -> TagFilter:
    return TagFilter(
        allow=read_in(settings, "allow-tags", values.read_allow_tags, default=None),
        ignore=read_in(settings, "ignore-tags", values.read_ignore_tags, default=()),
    )


def _downgrade(settings: Settings) -> Downgrade:
    """Read the rule; the peer's own is that people who narrow a constraint get the lower version."""
    former = settings.get("allow-downgrade")
    if former is None:
        return read_in(settings, "downgrade", values.read_downgrade, default=Downgrade.BY_POLICY)
    if "downgrade" in settings:
        raise former.flaw("allow-downgrade and downgrade are both set", code="conflict", hint="remove allow-downgrade")
    return Downgrade.of_flag(is_allowed=former.read(values.read_boolean))


def _platforms(settings: Settings) -> tuple[Platform, ...]:
    return read_in(settings, "platforms", values.read_platforms, default=())


def _check_git(
    destination: Destination, application: Application, request: ApplicationRequest, defaults: TranslationDefaults
) -> None:
    """Refuse what would be written by Argo CD's own credentials for a namespace that has no part in them."""
    if destination.method != "git" or destination.credential:
        return
    if any(name_matcher(name).fullmatch(application.namespace) for name in defaults.git_credentials_for):
        return
    message = f"Applications of {application.namespace} do not use the Git credentials of Argo CD"
    hint = "write git:secret:<name>, a Secret of this namespace, or add the namespace to git_credentials_for"
    at = request.write_back.get("write-back-method") or Setting("", ("metadata", "namespace"))
    raise at.flaw(message, code="credential-refused", hint=hint)


def _may_name(found: CredentialRef, application: Application, defaults: TranslationDefaults) -> bool:
    if defaults.credentials is not None:
        return found in defaults.credentials
    if not defaults.is_configured:
        return True
    # a file or program of the pod may hold anything; a variable is sent only where it is written as a credential
    return application.namespace == defaults.namespace and found.kind == "env"


def _credential(settings: Settings, application: Application, defaults: TranslationDefaults) -> CredentialRef | None:
    """Return the credential for the registry. Whoever writes an object chooses the registry too, so not everything is his."""
    found = read_in(settings, "pull-secret", values.read_pull_secret, default=None)
    if found and found.kind not in _IN_NAMESPACE and not _may_name(found, application, defaults):
        message = f"{found.kind}: is not among the credentials that objects may name"
        hint = f"give the registry its credentials under registries, or list {found} under credentials of the source applications"
        raise settings["pull-secret"].flaw(message, code="credential-refused", hint=hint)
    if found and found.kind in _IN_NAMESPACE and found.value.partition("/")[0] != application.namespace:
        message = f"the Secret is in another namespace than the Application, which is in {application.namespace}"
        raise settings["pull-secret"].flaw(message, code="secret-namespace", hint=f"copy it to {application.namespace}")
    return found


def _said(subscription: Subscription, image: ImageRequest, write_back: Settings) -> str:
    """Return what is done for an image, in one sentence, and which settings have no say in it."""
    target = subscription.targets[0]
    where = f"{target.destination} {target.locator}"
    told = [f"{subscription.policy}", f"form {target.form.value}", f"to {where}"]
    constraint = parse_aliased(image.text).constraint
    if constraint and subscription.policy.kind in _WITHOUT_CONSTRAINT:
        told.append(f"the constraint {constraint} means nothing to {subscription.policy.kind}")
    is_kustomize = target.editor == "kustomize" or target.locator.section == "kustomize"
    idle = [key for key in (HELM if is_kustomize else (KUSTOMIZE,)) if key in image.settings]
    idle += [key for key in GIT_ONLY if key in write_back and target.destination.method == "argocd"]
    told += [f"{key} means nothing here" for key in idle]
    return "; ".join(told)
