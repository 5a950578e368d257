"""Every setting: its name, its type, its default and what it does.

Frozen and strict: an unknown key is an error. The descriptions here are the reference page and the
JSON Schema. Durations are seconds, rates are requests a second.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from updater.errors import UpdaterError
from updater.model.subscription import Downgrade, Form, Variant
from updater.registry.endpoints import RegistryEntry, RegistryTable
from updater.settings import checks, fields
from updater.settings.cluster import KubernetesSettings, SourceSettings, sources_once
from updater.settings.limits import RegistryLimits
from updater.settings.node import Node
from updater.settings.prefixes import longest_prefix
from updater.settings.values import usual_address

if TYPE_CHECKING:
    from updater.model.problem import Problem
    from updater.settings.cluster import ApplicationsSettings


DEFAULT_STATE: Final = "~/.local/state/updater"


class Level(StrEnum):
    """From which severity on log lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


class ListenSettings(Node):
    """Where the program listens; null turns a server off."""

    metrics: fields.Listen | None = Field(default_factory=usual_address, json_schema_extra={"default": "127.0.0.1:8080"})
    """Metrics, health and readiness: /metrics, /healthz and /readyz. In a pod the default is 0.0.0.0:8080."""
    web: Annotated[fields.Listen | None, fields.not_yet("the page, the API and webhooks are")] = None
    """The page, the API and webhooks. Not in this version: only null is taken."""


class LogSettings(Node):
    """What is logged, and how."""

    level: Level = Level.INFO
    """The least severe lines that are written: debug, info, warning or error."""
    format: LogFormat | None = None
    """json for machines, console for people; null is console on a terminal and json elsewhere."""


class RegistrySettings(Node):
    """What holds for the images below one prefix; the longest prefix wins."""

    prefix: fields.Text
    """The registry's host, or the host and the first parts of the path."""
    url: fields.RegistryUrl | None = None
    """Where the registry is asked; without it https:// and the host of the image."""
    insecure: bool = False
    """Plain HTTP is fine, and certificates are not verified."""
    rate: fields.Rate | None = None
    """The most requests in a time, such as 50/s or 100/m; without it only the registry's own limits hold."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    """The most requests at one time."""
    ca: fields.Text | None = None
    """A PEM file with the certificate authorities that may vouch for the registry, besides those of the system."""
    client_certificate: fields.Text | None = None
    """A PEM file with a certificate and its key, shown to the registry."""
    credentials: fields.Credentials | None = None
    """Where the user name and password, or the token, are found; never the secret itself."""
    default_namespace: fields.Text | None = None
    """What a mirror of Docker Hub wants before names of one part below the prefix, such as library; tried without it too."""
    private_hosts: tuple[fields.Text, ...] = ()
    """Other private hosts that the registry may name, such as a token server: auth.corp, *.corp or 10.0.0.0/8."""

    @model_validator(mode="after")
    def _check_entry(self) -> Self:
        try:
            RegistryTable((self.entry(),))
        except UpdaterError as error:
            raise fields.flawed(fields.flaw_of(error)) from None
        return self

    def entry(self) -> RegistryEntry:
        """Return this entry as the registry room takes it."""
        return RegistryEntry(
            prefix=self.prefix,
            url=self.url,
            insecure=self.insecure,
            rate=self.rate,
            concurrency=self.concurrency,
            ca=self.ca,
            client_certificate=self.client_certificate,
            credentials=self.credentials,
            default_namespace=self.default_namespace,
            private_hosts=self.private_hosts,
        )


class AuthorSettings(Node):
    """Who commits."""

    name: fields.Text = "updater"
    """The name of the author and committer. Required where a subscription of the file writes to Git."""
    email: fields.Text = "updater@example.org"
    """The address of the author and committer, by which updater knows its own commits. Required like the name."""


class SigningSettings(Node):
    """How commits are signed."""

    method: Literal["ssh"] = "ssh"
    """The kind of signature."""
    key: fields.Credentials
    """Where the private key is found."""


class RepositorySettings(Node):
    """What holds for the Git repositories below one prefix; the longest prefix wins."""

    prefix: fields.GitPrefix
    """The beginning of the URL, up to a / or the end of it."""
    credentials: fields.Credentials | None = None
    """Where user name and password, a token or an SSH key are found; without it access is tried anonymously."""
    ca: fields.Text | None = None
    """A PEM file with the certificate authorities that may vouch for the server, besides those of the system."""
    client_certificate: fields.Text | None = None
    """A PEM file with a certificate and its key, shown to the server."""
    known_hosts: fields.Text | None = None
    """A known_hosts file; host keys are verified against it."""
    proxy: fields.Proxy | None = None
    """The proxy to use, instead of the one that the environment names."""
    insecure_skip_verify: bool = False
    """Certificates and host keys are not verified; for tests only."""


class GitSettings(Node):
    """Commit author, and how repositories are reached."""

    author: AuthorSettings = AuthorSettings()
    """Author and committer of every commit."""
    signing: SigningSettings | None = None
    """How commits are signed; without it they are not."""
    sign_off: bool = False
    """Whether each message ends with a line Signed-off-by: of the author."""
    message: fields.Template | None = None
    """A Go template for commit messages; without it each change is named, old to new, with policy and origin."""
    repositories: tuple[RepositorySettings, ...] = ()
    """Credentials and trust, by the beginning of the URL."""


class FilterSettings(Node):
    """Which tags take part at all."""

    allow: fields.Allow | None = None
    """A regular expression (RE2, unanchored) that a tag must match."""
    ignore: tuple[fields.Ignore, ...] = ()
    """Globs, or regular expressions after regexp:, of which a tag must match none."""
    extract: fields.Text | None = None
    """What of the match in allow the policy compares, such as $1 or $name."""

    @model_validator(mode="after")
    def _check_extract(self) -> Self:
        try:
            if self.extract is not None:
                checks.check_filter(allow=self.allow, extract=self.extract)
        except UpdaterError as error:
            raise fields.flawed(fields.flaw_of(error, "extract")) from None
        return self


class GitTarget(Node):
    """The branch that is read and written."""

    url: fields.GitUrl
    """https, http, ssh, scp-like (git@host:path) or a local path."""
    branch: fields.Branch = "main"
    """The branch that is read."""
    push: fields.Branch | None = None
    """The branch that is written; without it the same."""
    path: fields.RepositoryPath = "."
    """The folder below which places are looked for; . is the root."""


class KustomizeTarget(Node):
    """An entry of images: in a kustomization, or of kustomize.images of an Application."""

    path: fields.RepositoryPath = "."
    """The folder of the kustomization, or the file, below the target's path. Not with argocd."""
    name: fields.Text | None = None
    """The name of the entry; without it the image as it is spelled in the subscription."""


class HelmTarget(Node):
    """Keys of one values file, or parameters of an Application."""

    file: fields.RepositoryPath | None = None
    """The values file, below the target's path. Needed with git; not with argocd, where parameters are written."""
    name: fields.Text | None = None
    """The key or parameter of the image name, such as image.repository."""
    tag: fields.Text | None = None
    """The key or parameter of the tag, such as image.tag."""
    digest: fields.Text | None = None
    """The key of the digest, such as image.digest, beside the tag or instead of it; it always holds the chosen tag's digest."""
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
    """A live Application, whose own overrides are written: not what an ApplicationSet made, which would undo it."""

    application: fields.Application
    """namespace/name of the Application. Its source of the type Helm or Kustomize is written, in this order of several."""


class TargetSettings(Node):
    """One thing to write: where (git or argocd), and by which editor (marker, kustomize or helm)."""

    git: GitTarget | None = None
    """A branch of a Git repository."""
    argocd: ArgocdTarget | None = None
    """A live Argo CD Application; without kustomize and helm its type decides: images, or parameters image.name and image.tag."""
    marker: fields.Marker | None = None
    """Every marker of this name below the path, namespace:policy."""
    kustomize: KustomizeTarget | None = None
    """The images: entry of a kustomization, or of an Application."""
    helm: HelmTarget | None = None
    """Keys of a values file, or parameters of an Application."""
    form: Form | None = None
    """How this target is written: tag, digest or tag@digest; without it as the subscription says."""

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
        """Return what belongs to the other kind of destination."""
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
    """Its name in logs, metrics and commands; unique."""
    image: fields.Image
    """The image, without tag and digest."""
    policy: fields.Policy
    """Which tag should run: semver, latest, name, number, digest or pep440, with its options."""
    filter: FilterSettings = FilterSettings()
    """Which tags take part at all."""
    platforms: tuple[fields.Platforms, ...] = ()
    """The platforms that a tag must be built for; none means any."""
    variant: Variant = Variant.LOCK
    """lock: 1.2.3-alpine moves only to -alpine; any: suffixes do not count."""
    downgrade: Annotated[Downgrade, fields.DOWNGRADE] = Downgrade.NEVER
    """Whether a lower version is written: never; by-policy: only if filter or policy exclude the written one; always."""
    allow_downgrade: bool | None = None
    """Former spelling of downgrade: true means always, false means never."""
    form: Form = Form.TAG
    """How the image is written: tag, digest or tag@digest."""
    interval: fields.Duration | None = None
    """How often the registry is asked; without it as often as interval at the top says."""
    targets: Annotated[tuple[TargetSettings, ...], fields.NOT_EMPTY, Field(json_schema_extra={"minItems": 1})]
    """Where the image is written."""

    @model_validator(mode="after")
    def _say_downgrade_once(self) -> Self:
        if self.allow_downgrade is not None and "downgrade" in self.model_fields_set:
            message = "allow_downgrade and downgrade are both set"
            raise fields.flawed((("allow_downgrade",), "conflict", message, "remove allow_downgrade"))
        return self

    @property
    def downgrade_rule(self) -> Downgrade:
        """The rule, in whichever spelling it was given."""
        return self.downgrade if self.allow_downgrade is None else Downgrade.of_flag(is_allowed=self.allow_downgrade)


class Settings(Node):
    """The whole configuration."""

    interval: fields.Duration = Field(default=120.0, json_schema_extra={"default": "2m"})
    """How often registries are asked and destinations are looked at, unless a subscription says otherwise.

    What shares a destination is due together."""
    state: fields.Text = DEFAULT_STATE
    """The folder of Git mirrors and the cache. All of it may be deleted at any time."""
    listen: ListenSettings = Field(default_factory=ListenSettings)
    """Where the program listens."""
    log: LogSettings = LogSettings()
    """What is logged, and how."""
    registries: tuple[RegistrySettings, ...] = ()
    """How registries are reached; registries not listed here are reached over https."""
    registry_limits: RegistryLimits = RegistryLimits()
    """What answers of registries may cost, and how fast registries without an entry are asked."""
    registries_conf: fields.Text | None = None
    """A registries.conf of Argo CD Image Updater, read as it is, besides registries."""
    docker_config: fields.Text | None = None
    """A docker config.json with credentials; default the usual location."""
    credential_helpers: bool = False
    """Whether the programs that a docker config.json names (credHelpers, credsStore) may run."""
    git: GitSettings = GitSettings()
    """Commit author, and how repositories are reached."""
    text_markers: tuple[fields.Glob, ...] = ()
    """Names of files that are not YAML, in which markers count too."""
    kubernetes: KubernetesSettings = KubernetesSettings()
    """The way to the cluster, and who of several replicas writes."""
    sources: Annotated[tuple[SourceSettings, ...], AfterValidator(sources_once)] = ()
    """Where subscriptions come from besides this file."""
    subscriptions: tuple[SubscriptionSettings, ...] = ()
    """The images to keep current."""

    _foreign_registries: tuple[RegistryEntry, ...] = PrivateAttr(default=())
    _files: tuple[str, ...] = PrivateAttr(default=())
    _remarks: tuple[Problem, ...] = PrivateAttr(default=())
    _lines: tuple[tuple[str, int | None], ...] = PrivateAttr(default=())

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that was read for these settings."""
        return self._files

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """What is worth a look in those files and may be as it should: it is said, and keeps nothing from working."""
        return self._remarks

    @property
    def registry_entries(self) -> tuple[RegistryEntry, ...]:
        """Every registry entry, of this form and of registries.conf, as `RegistryTable` takes them."""
        return (*(entry.entry() for entry in self.registries), *self._foreign_registries)

    @property
    def applications(self) -> ApplicationsSettings | None:
        """Give the settings of the source of Argo CD's Applications, None where it is off."""
        return next((source.applications for source in self.sources if source.applications is not None), None)

    def place_of(self, subscription: int) -> tuple[str, int | None]:
        """Return file and line of a subscription by its index; an empty file where it is not known."""
        return self._lines[subscription] if subscription < len(self._lines) else ("", None)

    def repository_for(self, url: str) -> RepositorySettings | None:
        """Return the entry of git.repositories with the longest prefix of *url*, cut only at a boundary."""
        return longest_prefix(self.git.repositories, url)
