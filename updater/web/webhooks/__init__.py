"""What registries and Git hosts send when something was pushed: one small module for each family, and the table of all."""

from __future__ import annotations

from typing import Final

from updater.model.webhook import WebhookKind
from updater.web.webhooks.aliyun import ALIYUN
from updater.web.webhooks.amazon import ECR
from updater.web.webhooks.artifactory import ARTIFACTORY
from updater.web.webhooks.azure import ACR
from updater.web.webhooks.base import DeliveryError, Proof, WebhookDelivery, WebhookReceiver
from updater.web.webhooks.cloudevents import CLOUDEVENTS
from updater.web.webhooks.distribution import DISTRIBUTION
from updater.web.webhooks.docker_hub import DOCKER_HUB_RECEIVER
from updater.web.webhooks.flagger import ARGO_ROLLOUTS, FLAGGER
from updater.web.webhooks.generic import GENERIC
from updater.web.webhooks.git_hosts import BITBUCKET, GITLAB
from updater.web.webhooks.gitea import GITEA
from updater.web.webhooks.github import GITHUB
from updater.web.webhooks.google import GOOGLE
from updater.web.webhooks.harbor import HARBOR
from updater.web.webhooks.nexus import NEXUS
from updater.web.webhooks.quay import QUAY
from updater.web.webhooks.sns import ECR_SNS

RECEIVERS: Final[dict[WebhookKind, WebhookReceiver]] = {
    WebhookKind.GENERIC: GENERIC,
    WebhookKind.DOCKER_HUB: DOCKER_HUB_RECEIVER,
    WebhookKind.GITHUB: GITHUB,
    WebhookKind.GITLAB: GITLAB,
    WebhookKind.GITEA: GITEA,
    WebhookKind.BITBUCKET: BITBUCKET,
    WebhookKind.QUAY: QUAY,
    WebhookKind.HARBOR: HARBOR,
    WebhookKind.ACR: ACR,
    WebhookKind.ECR: ECR,
    WebhookKind.ECR_SNS: ECR_SNS,
    WebhookKind.GOOGLE: GOOGLE,
    WebhookKind.ARTIFACTORY: ARTIFACTORY,
    WebhookKind.NEXUS: NEXUS,
    WebhookKind.ALIYUN: ALIYUN,
    WebhookKind.ZOT: CLOUDEVENTS,
    WebhookKind.DISTRIBUTION: DISTRIBUTION,
    WebhookKind.CDEVENTS: CLOUDEVENTS,
    WebhookKind.CLOUDEVENTS: CLOUDEVENTS,
    WebhookKind.FLAGGER: FLAGGER,
    WebhookKind.ARGO_ROLLOUTS: ARGO_ROLLOUTS,
}

__all__ = ["RECEIVERS", "DeliveryError", "Proof", "WebhookDelivery", "WebhookReceiver"]
