"""What each of Flux's objects asks for, once it is read: values, or the condition that says why it asks for nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from updater.model.scan_key import ScanKey
from updater.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.kube.kinds import Key
    from updater.model.image import ImageName, ImageRef
    from updater.model.problem import Problem
    from updater.model.subscription import CommitSpec, CredentialRef, GitBranch, PolicySpec, Subscription, TagFilter


class DigestReflection(StrEnum):
    """When an ImagePolicy resolves the digest of the tag that it selects."""

    NEVER = "Never"
    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFault:
    """Why an object asks for nothing: the *reason* of its Ready condition and the message, in the words of the original.

    With *is_stalled* only a change of its spec helps. *problem* says it in our words: path, code, hint.
    """

    reason: str
    message: str
    is_stalled: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRepositoryRequest:
    """An ImageRepository: which image is scanned, how it is reached, which tags never count.

    *image* is None where *fault* says why. *name* is spec.image as it is written, which latestRef repeats. *timeout* is in
    seconds. *admits* says of the labels of a namespace whether its ImagePolicies may refer to this object.
    """

    key: Key
    name: str
    image: ImageName | None
    interval: float
    timeout: float
    credential: CredentialRef | None = None
    exclusions: tuple[str, ...] = ()
    is_suspended: bool = False
    requested_at: str = ""
    admits: Callable[[Mapping[str, str]], bool] = field(default=lambda _labels: False, compare=False)
    fault: ObjectFault | None = None

    @property
    def scan_key(self) -> ScanKey | None:
        """The scan that serves it; None where it asks for none."""
        return ScanKey(self.image, self.credential) if self.image is not None and self.fault is None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicyRequest:
    """An ImagePolicy: of which ImageRepository it selects, and by what.

    *latest* is what it selected before, None for nothing. *digest_interval* is in seconds, None unless the
    digest is resolved again and again.
    """

    key: Key
    repository: Key
    policy: PolicySpec | None = None
    filter: TagFilter | None = None
    reflection: DigestReflection = DigestReflection.NEVER
    digest_interval: float | None = None
    is_suspended: bool = False
    requested_at: str = ""
    latest: ImageRef | None = None
    fault: ObjectFault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRepositoryRequest:
    """A GitRepository, as far as an automation needs it: where it is, and which ref it names; *timeout* is in seconds."""

    key: Key
    url: str
    reference: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60.0
    provider: str = "generic"
    secret: str = ""
    proxy_secret: str = ""
    service_account: str = ""
    is_suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationRequest:
    """An ImageUpdateAutomation: which policies of its namespace it writes, where, and how it commits.

    *branch* is what it writes, None where *fault* says why. *path* is the tree below which markers count. *policies* are those
    that it selects.
    """

    key: Key
    source: Key
    interval: float
    branch: GitBranch | None
    path: str = "."
    commit_spec: CommitSpec | None = None
    policies: tuple[Key, ...] = ()
    is_suspended: bool = False
    requested_at: str = ""
    fault: ObjectFault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxTranslation:
    """What all objects come to: each request by its key, the subscription of each policy that has one, and the snapshot."""

    repositories: Mapping[Key, ImageRepositoryRequest] = field(default_factory=dict)
    policies: Mapping[Key, ImagePolicyRequest] = field(default_factory=dict)
    automations: Mapping[Key, AutomationRequest] = field(default_factory=dict)
    sources: Mapping[Key, GitRepositoryRequest] = field(default_factory=dict)
    subscriptions: Mapping[Key, Subscription] = field(default_factory=dict)
    snapshot: Snapshot = field(default_factory=Snapshot)

    @property
    def marker_names(self) -> frozenset[str]:
        """The names by which markers mean the policies that there are, whatever is wrong with them."""
        return frozenset(f"{namespace}:{name}" for namespace, name in self.policies)


def subscription_key(key: Key) -> str:
    """Return the key of the subscription that an ImagePolicy makes."""
    return f"ImagePolicy {key[0]}/{key[1]}"
