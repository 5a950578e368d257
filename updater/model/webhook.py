"""What senders of webhooks are known, and what their deliveries say: a hint that something was pushed, never what to write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WebhookKind(StrEnum):
    """Who sends: it decides how a delivery proves where it comes from, and where it names what was pushed."""

    GENERIC = "generic"
    DOCKER_HUB = "docker-hub"
    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    BITBUCKET = "bitbucket"
    QUAY = "quay"
    HARBOR = "harbor"
    ACR = "acr"
    ECR = "ecr"
    ECR_SNS = "ecr-sns"
    GOOGLE = "google"
    ARTIFACTORY = "artifactory"
    NEXUS = "nexus"
    ALIYUN = "aliyun"
    ZOT = "zot"
    DISTRIBUTION = "distribution"
    CDEVENTS = "cdevents"
    CLOUDEVENTS = "cloudevents"
    FLAGGER = "flagger"
    ARGO_ROLLOUTS = "argo-rollouts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePush:
    """A push to a registry: *registry* is its host, "" where the sender does not say; *path* is the name below it."""

    registry: str
    path: str
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchPush:
    """A push to a branch of a Git repository, which may be reached at any of *urls*."""

    urls: tuple[str, ...]
    branch: str


Push = ImagePush | BranchPush
