"""What a person asked for: one image to keep current, by which policy, written where."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from updater.model.gates import NO_GATES, GateRules
from updater.model.publishing import DIRECT, Direct, Proposal, Publishing, PushBranch, PushTemplate, pushed_as

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.checkout_ref import CheckoutRef
    from updater.model.decision import Decision
    from updater.model.image import ImageName, ImageRef, Platform
    from updater.model.promotion import Offer
    from updater.model.release import DeliveryOptions
    from updater.model.written import Written

_WITH_SECRET: Final = re.compile(r"^(https?://(?=[^/]*@)|[^:/@]+://(?=[^/@:]*:[^/]*@))[^/]*@", re.IGNORECASE)
# what stands where a port would, and is none, is a password with a slash in it
_WITH_SLASH: Final = re.compile(r"^([^:/@]+://)[^/@:]*:(?![0-9]*(?:/|$))[^@]*@")
_NO_OPTIONS: Final[Mapping[str, object]] = MappingProxyType({})


#: the path of a locator that leaves it to the Application which source is written
WRITTEN_SOURCE: Final = "spec"

#: the policy that names one tag, and perhaps its digest: what a suspended object chose before
FIXED: Final = "fixed"

#: the option that says most of a policy, shown without its name
_MAIN_OPTIONS: Final = ("range", "order", "tag")


class Form(StrEnum):
    """How a chosen image is written: its tag, its digest, or both."""

    TAG = "tag"
    DIGEST = "digest"
    TAG_AND_DIGEST = "tag@digest"


class Variant(StrEnum):
    """Whether a suffix such as ``-alpine`` must stay what it is."""

    LOCK = "lock"
    ANY = "any"


class Downgrade(StrEnum):
    """Whether a tag below the written one may be written: never, only where people ruled the written one out, or always."""

    NEVER = "never"
    BY_POLICY = "by-policy"
    ALWAYS = "always"

    @classmethod
    def of_flag(cls, *, is_allowed: bool) -> Downgrade:
        """Return the rule that the former spelling ``allow_downgrade`` means."""
        return cls.ALWAYS if is_allowed else cls.NEVER


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """The name of a policy and its options as a person gave them: ``semver`` and ``{"range": ">=1"}``."""

    kind: str
    options: Mapping[str, object] = field(default_factory=lambda: _NO_OPTIONS)

    def __hash__(self) -> int:
        return hash((self.kind, tuple(sorted((key, repr(value)) for key, value in self.options.items()))))

    def __str__(self) -> str:
        set_options = {key: value for key, value in self.options.items() if value is not None and value is not False}
        main = next((key for key in _MAIN_OPTIONS if key in set_options), None)
        words = [self.kind, *([str(set_options.pop(main))] if main else [])]
        return " ".join([*words, *(key if value is True else f"{key}={value}" for key, value in sorted(set_options.items()))])


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFilter:
    """Which tags take part at all: a regex to allow, globs and ``regexp:`` texts to ignore, what to extract."""

    allow: str | None = None
    ignore: tuple[str, ...] = ()
    extract: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRef:
    """Where a credential is found, never the credential itself; grammar in `updater.model.credential`."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitSpec:
    """Author, signer, message template and its values of a commit; one commit each per landing.

    With *is_signed_off* the author vouches for each commit by a line ``Signed-off-by:``. *owner* is the object, by namespace and
    name, whose commits these are where that is another one than the one that asked for the image. *signing* names the signer: the
    reference of a key (`updater.model.signing_key`), "" for none.
    """

    name: str = "updater"
    email: str = "updater@example.org"
    message: str = ""
    values: tuple[tuple[str, str], ...] = ()
    signing: str = ""
    is_signed_off: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The file or object that asked for a subscription, and its line there; *since* says when an object was made, RFC 3339."""

    kind: str
    name: str
    line: int | None = None
    since: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f":{self.line}" if self.line else "")

    @property
    def in_commits(self) -> str:
        """The same for everybody who reads a commit: of a file its name alone, since its folder means this machine's."""
        name = self.name.replace("\\", "/").rpartition("/")[2] if self.kind == "file" else self.name
        return str(replace(self, name=name))


def shown_url(url: str) -> str:
    """Return the URL of a repository for people: without a password, and without a user name over HTTP, which may be a token."""
    if has_scp_password(url):
        return "•••@" + url.rpartition("@")[2]
    return _WITH_SECRET.sub(r"\1•••@", _WITH_SLASH.sub(r"\1•••@", url, count=1), count=1)


def has_scp_password(text: str) -> bool:
    """Return whether *text* looks like ``user:password@host:path``, a form that SSH does not have."""
    before, at, _ = text.partition("@")
    return bool(at) and ":" in before and "://" not in text and not text.startswith(("/", "."))


@dataclass(frozen=True, slots=True, kw_only=True)
class GitBranch:
    """A destination in Git: read at *branch*, written as *publishing* says.

    An empty *branch* is the server's default branch, unless *ref* names what is read instead: then something else is written. A
    push branch that is the branch itself is none. *credential* names the Secret (``secret:namespace/name``) by which this
    destination is reached; without one the settings of the repository hold.
    """

    method: ClassVar[Literal["git"]] = "git"

    url: str
    branch: str
    publishing: Publishing = DIRECT
    credential: CredentialRef | None = None
    ref: CheckoutRef | None = None

    def __post_init__(self) -> None:
        if isinstance(self.publishing, PushBranch) and self.publishing.name in {"", self.branch}:
            object.__setattr__(self, "publishing", Direct(self.publishing.also, self.publishing.options))

    def __str__(self) -> str:
        shown = f"{shown_url(self.url)}#{self.ref or self.branch or 'HEAD'}"
        match self.publishing:
            case PushBranch(name) | Proposal(name):
                return f"{shown}:{name}"
            case PushTemplate(template):
                return f"{shown}:{template}"
            case _:
                return shown

    @property
    def push(self) -> str:
        """The branch that is written; "" where it is the default branch."""
        return pushed_as(self.publishing, self.branch)

    @property
    def is_rebuilt(self) -> bool:
        """Whether the branch that is written is made anew from its base at each landing."""
        return not isinstance(self.publishing, Direct)

    @property
    def is_named(self) -> bool:
        """Whether it is known where it is written without asking its server."""
        return bool(self.branch or self.ref)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LiveApplication:
    """A destination in the cluster: an Argo CD Application."""

    method: ClassVar[Literal["argocd"]] = "argocd"

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"argocd:{self.namespace}/{self.name}"

    @property
    def is_rebuilt(self) -> bool:
        """Whether it is made anew at each landing: only its own values are patched."""
        return False

    @property
    def is_named(self) -> bool:
        """Whether it is known where it is written without asking anybody."""
        return True


Destination = GitBranch | LiveApplication


@dataclass(frozen=True, slots=True, kw_only=True)
class Locator:
    """Where below a destination's tree an editor finds its places.

    ============= ============================ ============================== ============= =========================
    editor        path                         name                           tag           spec
    ============= ============================ ============================== ============= =========================
    marker        tree in which markers count  ``namespace:policy``           –             –
    kustomize     folder or kustomization      name or newName of the entry   –             –
    helm          one values file              key path of the image name     key of tag    key of the full reference
    argocd_source ``.argocd-source-app.yaml``  see below
    application   ``spec.sources[0]``          see below
    ============= ============================ ============================== ============= =========================

    The last two also have a *section* of an Argo CD source: ``helm`` and ``plugin``, where *name*, *tag* and *spec* are
    names of parameters and variables, or ``kustomize``, where *name* is the name that an entry replaces (None: the image's
    own) and *spec* the image name itself. With the path ``spec`` the Application says which source is written
    (`WRITTEN_SOURCE`), and without a section as what: *spec* is the image name then.

    *digest* is helm's alone: the key path of a digest, beside the tag or instead of it.

    *beside* are entries of the Application's own list, name and text: a list that is made in the file hides them, so they
    come along. Where the text is None nobody here may write it, and no list is made.
    """

    path: str = "."
    name: str | None = None
    tag: str | None = None
    spec: str | None = None
    section: str | None = None
    beside: tuple[tuple[str, str | None], ...] = ()
    digest: str | None = None

    def __str__(self) -> str:
        keys = ", ".join(text for text in (self.name, self.tag, self.digest, self.spec) if text)
        return f"{self.path}: {keys}" if keys else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing to write: which editor, where, on which destination, in which form.

    *running* is what runs while the place is not written at all: a place that an edit would add is judged by it. *interval* says
    every how many seconds the destination is due for this target, *commit_spec* how it is committed: two automations may
    commit one policy. A target with *may_be_absent* that is written nowhere is nobody's fault: an automation writes those of
    its policies that have a marker below its path.
    """

    destination: Destination
    editor: str
    locator: Locator
    form: Form = Form.TAG
    running: Written | None = None
    interval: float = 120.0
    commit_spec: CommitSpec = CommitSpec()
    may_be_absent: bool = False

    def __str__(self) -> str:
        return f"{self.destination} {self.editor} {self.locator}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One image to keep current.

    *interval* says every how many seconds the image is due. With *is_shape_locked* a written version of three numbers moves only
    to versions of three numbers or more. With *is_reflected* the choice for a place that holds nothing is reported after each
    scan, with its digest where *reflects_digest*: an ImagePolicy says it in its status. A choice of the tag of *settled* has the
    digest of *settled*, whatever the registry says of that tag by now. *decisions* are what people decided about it, *delivery*
    says how its releases are followed, None where they are not. *offer* is what the subscription that it follows offers at the
    moment of a landing.
    """

    key: str
    image: ImageName
    policy: PolicySpec
    filter: TagFilter = TagFilter()
    platforms: tuple[Platform, ...] = ()
    variant: Variant = Variant.LOCK
    downgrade: Downgrade = Downgrade.NEVER
    is_shape_locked: bool = True
    targets: tuple[Target, ...] = ()
    interval: float = 120.0
    credential: CredentialRef | None = None
    is_reflected: bool = False
    reflects_digest: bool = False
    settled: ImageRef | None = None
    delivery: DeliveryOptions | None = None
    gates: GateRules = NO_GATES
    versions: frozenset[str] | None = None
    decisions: tuple[Decision, ...] = ()
    offer: Offer | None = None
    origin: Origin

    @property
    def is_fixed(self) -> bool:
        """Whether the image is named, so that no registry is asked what there is."""
        return self.policy.kind == FIXED
