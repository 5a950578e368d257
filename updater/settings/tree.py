"""Every setting: its name, its type, its default and its description.

Frozen and strict: an unknown key is an error. The reference page and the JSON Schema are generated from the descriptions here.
Durations are in seconds, rates in requests per second.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from updater.errors import UpdaterError
from updater.model.release import BUSY_KINDS
from updater.model.subscription import Downgrade, Form, Variant
from updater.settings import checks, fields
from updater.settings.cluster import KubernetesSettings, SourceSettings, sources_once
from updater.settings.delivery import DeliveryDefaults, DeliverySettings
from updater.settings.gates import GateDefaults, GateSettings
from updater.settings.git_limits import GitLimitSettings
from updater.settings.limits import RegistryLimits
from updater.settings.node import Node
from updater.settings.notifications import Routes  # noqa: TC001 - pydantic reads the annotation
from updater.settings.prefixes import longest_prefix
from updater.settings.proposals import ProposalDefaults, ProposalSettings
from updater.settings.registries import RegistrySettings  # noqa: TC001 - pydantic reads the annotation
from updater.settings.repositories import RepositorySettings  # noqa: TC001 - pydantic reads the annotation
from updater.settings.web import ListenSettings, WebSettings, at_most_a_day, check_web

if TYPE_CHECKING:
    from updater.model.problem import Problem
    from updater.registry.endpoints import RegistryEntry
    from updater.settings.cluster import ApplicationsSettings, FluxSettings


DEFAULT_STATE: Final = "~/.local/state/updater"
DEFAULT_HOLDS: Final = "holds.yaml"


class Level(StrEnum):
    """The least severe log lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


class LogSettings(Node):
    """Which log lines are written, and in which format."""

    level: Level = Level.INFO
    """The least severe lines that are written: debug, info, warning or error."""
    format: LogFormat | None = None
    """json for machines, console for people; null is console on a terminal and json elsewhere."""


class AuthorSettings(Node):
    """The commit author."""

    name: fields.Text = "updater"
    """The name of the author and committer. Required where a subscription of the file writes to Git.
    Argo CD objects that write to Git commit as `argocd-image-updater <noreply@argoproj.io>`, the default of Argo CD Image
    Updater, where neither this nor `git.user` and `git.email` of its ConfigMap say otherwise."""
    email: fields.Text = "updater@example.org"
    """The address of the author and committer, by which updater knows its own commits. Required like the name."""


class SigningSettings(Node):
    """How commits are signed."""

    method: Literal["ssh", "gpg"] = "ssh"
    """The kind of signature: ssh, or gpg for OpenPGP."""
    key: fields.Credentials
    """A reference to the private key; for gpg one armored key."""
    passphrase: fields.Credentials | None = None
    """A reference to the passphrase of the key, where it has one."""


class GitSettings(Node):
    """The commit author, and how repositories are reached."""

    author: AuthorSettings = AuthorSettings()
    """The author and committer of every commit."""
    signing: SigningSettings | None = None
    """How commits are signed; by default they are not."""
    sign_off: bool = False
    """Whether each message ends with the author's Signed-off-by: line."""
    message: fields.Template | None = None
    """A Go template for commit messages; the default message lists each change, old to new, with policy and origin."""
    proposal: Annotated[ProposalDefaults, fields.EMPTY_WHERE_NULL] = ProposalDefaults()
    """The defaults of pull requests, for every target that has proposal:; alone it proposes nothing."""
    limits: GitLimitSettings = GitLimitSettings()
    """How much a Git server and a repository may ask of the program."""
    repositories: tuple[RepositorySettings, ...] = ()
    """Credentials and trust, by the start of the URL."""


class FilterSettings(Node):
    """Which tags the policy considers."""

    allow: fields.Allow | None = None
    """A regular expression (RE2, unanchored) that a tag must match."""
    ignore: tuple[fields.Ignore, ...] = ()
    """Globs, or regular expressions after regexp:, of which a tag must match none."""
    extract: fields.Text | None = None
    """The part of the match of allow that the policy compares, such as $1 or $name."""

    @model_validator(mode="after")
    def _check_extract(self) -> Self:
        try:
            if self.extract is not None:
                checks.check_filter(allow=self.allow, extract=self.extract)
        except UpdaterError as error:
            raise fields.flawed(fields.flaw_of(error, "extract")) from None
        return self


class GitTarget(Node):
    """The branch to read and write."""

    url: fields.GitUrl
    """https, http, ssh, scp-like (git@host:path) or a local path."""
    branch: fields.Branch = "main"
    """The branch to read."""
    push: fields.Branch | None = None
    """The branch to write; the default is the same branch."""
    proposal: Annotated[ProposalSettings | None, fields.EMPTY_WHERE_NULL] = None
    """Propose changes by a pull request, {} with the defaults of git.proposal; not allowed with push."""
    path: fields.RepositoryPath = "."
    """The folder to search; . is the root."""

    @model_validator(mode="after")
    def _publish_once(self) -> Self:
        if self.push is not None and self.proposal is not None:
            hint = "take push: out; the pull request has a branch of its own"
            raise fields.flawed((("push",), "conflict", "push and proposal are both set", hint))
        return self


class KustomizeTarget(Node):
    """An entry of images: in a kustomization, or of kustomize.images in an Application."""

    path: fields.RepositoryPath = "."
    """The folder of the kustomization, or the file, below the target's path. Not allowed with argocd."""
    name: fields.Text | None = None
    """The name of the entry; the default is the image as spelled in the subscription."""


class HelmTarget(Node):
    """Keys of one values file, or parameters of an Application."""

    file: fields.RepositoryPath | None = None
    """The values file, below the target's path. Required with git; not allowed with argocd, where parameters are written."""
    name: fields.Text | None = None
    """The key or parameter of the image name, such as image.repository."""
    tag: fields.Text | None = None
    """The key or parameter of the tag, such as image.tag."""
    digest: fields.Text | None = None
    """The key of the digest, such as image.digest, with the tag or instead of it; it always has the digest of the chosen tag."""
    spec: fields.Text | None = None
    """The key or parameter of one full reference, instead of name, tag and digest."""

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.spec and (self.name or self.tag or self.digest):
            hint = "leave name, tag and digest out, or spec"
            raise fields.flawed((("spec",), "helm-keys", "spec is the whole reference", hint))
        if not self.spec and not self.tag and not self.digest:
            hint = "add tag: image.tag, digest: image.digest, or spec:"
            raise fields.flawed(((), "helm-keys", "no key names the place of the version", hint))
        return self


class ArgocdTarget(Node):
    """A live Application, whose own overrides are written. An Application that an ApplicationSet generated is refused."""

    application: fields.Application
    """namespace/name of the Application. Its Helm source is written, otherwise its Kustomize source."""


class TargetSettings(Node):
    """One value to write: where (git or argocd), and with which editor (marker, kustomize or helm)."""

    git: GitTarget | None = None
    """A branch of a Git repository."""
    argocd: ArgocdTarget | None = None
    """A live Argo CD Application. Without kustomize and helm its type decides: images, or parameters image.name and image.tag."""
    marker: fields.Marker | None = None
    """The name of the markers below the path, namespace:policy."""
    kustomize: KustomizeTarget | None = None
    """The images: entry of a kustomization or of an Application."""
    helm: HelmTarget | None = None
    """Keys of a values file, or parameters of an Application."""
    form: Form | None = None
    """How this target is written: tag, digest or tag@digest; the default is the subscription's form."""

    @model_validator(mode="after")
    def _check_kinds(self) -> Self:
        where = [name for name in ("git", "argocd") if getattr(self, name) is not None]
        how = [name for name in ("marker", "kustomize", "helm") if getattr(self, name) is not None]
        if len(where) != 1:
            said = "names both git and argocd" if where else "does not say where to write"
            raise fields.flawed(
                ((), "target", f"the target {said}", "one target has git: or argocd:; write two targets for both")
            )
        if len(how) > 1:
            raise fields.flawed(((), "target", f"the target has {' and '.join(how)}", "write one target for each"))
        if where == ["git"] and not how:
            raise fields.flawed(((), "target", "the target does not say what to write", "add marker:, kustomize: or helm:"))
        wrong = self._misplaced()
        if wrong:
            raise fields.flawed(wrong)
        return self

    def _misplaced(self) -> fields.Flaw | None:
        """Return the problem of a key that belongs to the other kind of destination."""
        if self.git is not None:
            is_fileless = self.helm is not None and self.helm.file is None
            hint = "add file: values.yaml, below the target's path"
            return (("helm", "file"), "missing-key", "no values file is named", hint) if is_fileless else None
        if self.marker is not None:
            return ("marker",), "target", "an Application has no markers", "take marker: out, or write it at a git: target"
        if self.helm is not None and self.helm.digest is not None:
            hint = "take digest: out; with form: tag@digest the parameter of the tag holds both"
            return ("helm", "digest"), "target", "the parameters of an Application have no digest of their own here", hint
        if self.helm is not None and self.helm.file is not None:
            return ("helm", "file"), "target", "the parameters of an Application are in no file", "take file: out"
        if self.kustomize is not None and "path" in self.kustomize.model_fields_set:
            return ("kustomize", "path"), "target", "the images of an Application are in no file", "take path: out"
        return None


class SubscriptionSettings(Node):
    """One image to keep current."""

    key: fields.Text
    """Its unique name in logs, metrics and commands."""
    image: fields.Image
    """The image, without tag and digest."""
    policy: fields.Policy
    """Which tag should run: semver, latest, name, number, digest or pep440, with its options."""
    filter: FilterSettings = FilterSettings()
    """Which tags the policy considers."""
    platforms: tuple[fields.Platforms, ...] = ()
    """The platforms that a tag must be built for; an empty list means any platform."""
    variant: Variant = Variant.LOCK
    """lock: 1.2.3-alpine moves only to -alpine; any: suffixes are ignored."""
    downgrade: Annotated[Downgrade, fields.DOWNGRADE] = Downgrade.NEVER
    """Whether a lower version is written: never; by-policy: only if filter or policy exclude the written one; always."""
    allow_downgrade: bool | None = None
    """Former spelling of downgrade: true means always, false means never."""
    form: Form = Form.TAG
    """How the image is written: tag, digest or tag@digest."""
    interval: fields.Duration | None = None
    """How often the registry is asked; the default is the top-level interval."""
    delivery: DeliverySettings | None = None
    """How its commits are followed into the cluster; by default they are not."""
    gates: Annotated[GateSettings, fields.EMPTY_WHERE_NULL] = GateSettings()
    """When the image may be written; a key that is left out takes the value of the top-level gates."""
    targets: Annotated[tuple[TargetSettings, ...], fields.NOT_EMPTY, Field(json_schema_extra={"minItems": 1})]
    """Where the image is written."""

    @model_validator(mode="after")
    def _follow_commits(self) -> Self:
        if self.delivery is not None and all(target.git is None for target in self.targets):
            self.delivery.refuse_for_live()
        named = self.delivery.workload if self.delivery else None
        if self.gates.wait_while_busy and (self.delivery is None or (named and named.kind not in BUSY_KINDS)):
            message = "only a Rollout or Canary that delivery follows is waited for"
            hint = "let delivery find it: delivery: {}, or name it: delivery: {workload: Rollout/shop/web}"
            raise fields.flawed((("gates", "wait_while_busy"), "conflict", message, hint))
        return self

    @model_validator(mode="after")
    def _say_downgrade_once(self) -> Self:
        if self.allow_downgrade is not None and "downgrade" in self.model_fields_set:
            message = "allow_downgrade and downgrade are both set"
            raise fields.flawed((("allow_downgrade",), "conflict", message, "remove allow_downgrade"))
        return self

    @property
    def downgrade_rule(self) -> Downgrade:
        """Return the rule, in whichever spelling it was written."""
        return self.downgrade if self.allow_downgrade is None else Downgrade.of_flag(is_allowed=self.allow_downgrade)


class Settings(Node):
    """The whole configuration."""

    interval: fields.Duration = Field(default=120.0, json_schema_extra={"default": "2m"})
    """How often registries are asked and destinations are read, unless a subscription sets its own interval.

    Images that share a destination are due together."""
    interval_with_webhooks: Annotated[fields.Duration, AfterValidator(at_most_a_day)] | None = None
    """How often an image is scanned instead, while webhooks of its registry are seen to work: at most 1d, and never more often
    than its interval. A push that a scan finds and no webhook named ends that for the registry. Flux's objects keep theirs."""
    state: fields.Text = DEFAULT_STATE
    """The folder of Git mirrors, `cache.db` and two small secrets. You can delete all of it at any time: nothing wrong is written
    for it. Keep it on a volume, and between the runs of a job, where one of these matters, which are lost with it:

    - since when tags and healthy releases were seen: `gates.min_age` and `gates.follows` count again, and updates come later;
    - what `on_bad: hold` holds, and the verdicts in `updater history`: a release is judged again by the objects as they are;
    - what was healthy last: of a release that was in progress only a Rollout or Canary can be taken back;
    - what was told: notifications say once more what fails or is held;
    - the name of the installation, unless `git.proposal.owner` is set: pull requests that nobody asks for any more stay open;
    - the key of sessions, unless `web.session_key` is set: people sign in again."""
    listen: ListenSettings = Field(default_factory=ListenSettings)
    """The addresses that the program listens on."""
    log: LogSettings = LogSettings()
    """Which log lines are written, and in which format."""
    registries: tuple[RegistrySettings, ...] = ()
    """How registries are reached; registries that are not listed here are reached over https."""
    registry_limits: RegistryLimits = RegistryLimits()
    """Limits for the answers of registries, and the request rate for registries without an entry."""
    registries_conf: fields.Text | None = None
    """A registries.conf of Argo CD Image Updater, read as it is, in addition to registries."""
    docker_config: fields.Text | None = None
    """A Docker config.json with credentials; the default is the usual location."""
    credential_helpers: bool = False
    """Whether the programs that a Docker config.json names (credHelpers, credsStore) may run."""
    git: GitSettings = GitSettings()
    """The commit author, and how repositories are reached."""
    text_markers: tuple[fields.Glob, ...] = ()
    """Names of files that are not YAML and in which markers are read as well."""
    kubernetes: KubernetesSettings = KubernetesSettings()
    """The connection to the cluster, and which of several replicas writes."""
    sources: Annotated[tuple[SourceSettings, ...], AfterValidator(sources_once)] = ()
    """Where subscriptions come from, in addition to this file."""
    delivery: DeliveryDefaults | None = DeliveryDefaults()
    """How releases of Applications and ImagePolicies are followed, and the defaults of every subscription that has delivery.
    With null those objects are not followed, unless their annotations ask for it."""
    gates: Annotated[GateDefaults, fields.EMPTY_WHERE_NULL] = GateDefaults()
    """When images may be written: the defaults of every subscription."""
    subscriptions: tuple[SubscriptionSettings, ...] = ()
    """The images to keep current."""
    holds: fields.Holds = DEFAULT_HOLDS
    """What people decided by hold, pin, reject and release: a file beside this one, or configmap:namespace/name.

    A file that does not exist decides nothing. A change counts without a restart."""
    web: WebSettings = WebSettings()
    """What is served at `listen.web`."""
    notifications: Routes = Field(default=())
    """Who is told what happens: chats, mail, programs."""

    _foreign_registries: tuple[RegistryEntry, ...] = PrivateAttr(default=())
    _files: tuple[str, ...] = PrivateAttr(default=())
    _remarks: tuple[Problem, ...] = PrivateAttr(default=())
    _lines: tuple[tuple[str, int | None], ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _check_web(self) -> Self:
        check_web(self.web, self.listen, self.interval_with_webhooks)
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """Return every file that was read for these settings."""
        return self._files

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """Return remarks about those files: they are reported, and stop nothing."""
        return self._remarks

    @property
    def registry_entries(self) -> tuple[RegistryEntry, ...]:
        """Return every registry entry, of this file and of registries.conf, for `RegistryTable`."""
        return (*(entry.entry() for entry in self.registries), *self._foreign_registries)

    @property
    def applications(self) -> ApplicationsSettings | None:
        """Return the settings of the source of Argo CD's Applications, None where it is off."""
        return next((source.applications for source in self.sources if source.applications is not None), None)

    @property
    def flux(self) -> FluxSettings | None:
        """Return the settings of the source of Flux's image objects, None where it is off."""
        return next((source.flux for source in self.sources if source.flux is not None), None)

    def place_of(self, subscription: int) -> tuple[str, int | None]:
        """Return file and line of a subscription by its index; the file is empty if it is unknown."""
        return self._lines[subscription] if subscription < len(self._lines) else ("", None)

    def repository_for(self, url: str) -> RepositorySettings | None:
        """Return the entry of git.repositories with the longest prefix of *url*, cut only at a boundary."""
        return longest_prefix(self.git.repositories, url)
