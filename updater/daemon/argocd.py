"""Knows how everything that serves Argo CD's users is put together: source, answers, Git credentials, the peer's settings."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.credentials.github_app import InstallationTokens
from updater.errors import ConfigError, KubeError, KubeGone
from updater.kube.events import Events
from updater.kube.kinds import CONFIG_MAP, Ref
from updater.model.problem import Problem
from updater.sources.argocd import Defaults
from updater.sources.argocd.answering import Answers
from updater.sources.argocd.peer_settings import PeerSettings, open_problems, overlaid, read_peer_settings
from updater.sources.argocd.repositories import Repositories
from updater.sources.argocd.source import ArgocdSource
from updater.sources.file import voice_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.daemon.process import Process
    from updater.kube.client import KubeClient
    from updater.kube.watch import Watched
    from updater.settings import Settings
    from updater.settings.cluster import ApplicationsSettings

COMPONENT: Final = "updater"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgocdParts:
    """What serves Argo CD's users; *settings* are ours with the peer's below them, *problems* what is wrong with those."""

    settings: Settings
    source: ArgocdSource
    answers: Answers
    repositories: Repositories
    peer: PeerConfiguration
    problems: tuple[Problem, ...]


class PeerConfiguration:
    """The ConfigMap of the peer as it was read; `has_changed` reads it again."""

    def __init__(self, client: KubeClient, wanted: ApplicationsSettings) -> None:
        self._client = client
        self._ref = Ref(CONFIG_MAP, wanted.argocd_namespace, wanted.config_map) if wanted.config_map else None
        self._data: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return str(self._ref)

    async def read(self) -> PeerSettings:
        """Read what the peer is told; a ConfigMap that is not there says nothing. Raises `KubeError`."""
        self._data = await self._read()
        return PeerSettings() if self._data is None else read_peer_settings(self._data, origin=str(self._ref))

    async def has_changed(self) -> bool:
        """Say whether it says something else than when it was read; False where it cannot be read now."""
        try:
            return await self._read() != self._data
        except KubeError:
            return False

    async def _read(self) -> Mapping[str, str] | None:
        if self._ref is None:
            return None
        try:
            data = (await self._client.get(self._ref)).get("data")
        except KubeGone:
            return None
        return {str(key): str(value) for key, value in data.items()} if isinstance(data, dict) else {}


async def argocd_parts(settings: Settings, wanted: ApplicationsSettings, process: Process) -> ArgocdParts:
    """Put the source of Applications together; raises `ConfigError` where no way leads to a cluster."""
    client = process.cluster.client
    peer = PeerConfiguration(client, wanted)
    told, problems = await _told(peer, process)
    both = overlaid(settings, told)
    answers = _answers(wanted, client, process)
    source = ArgocdSource(
        client,
        namespaces=wanted.namespaces,
        defaults=Defaults(
            namespace=wanted.argocd_namespace, interval=both.interval, voice=voice_of(both), annotated=wanted.annotations
        ),
        answers=answers,
        report=_watch_reporter(process),
    )
    tokens = InstallationTokens(process.http)
    repositories = Repositories(client, wanted.argocd_namespace, tokens=tokens, report=_repository_reporter(process))
    problems = (*open_problems(settings, told), *problems)
    return ArgocdParts(settings=both, source=source, answers=answers, repositories=repositories, peer=peer, problems=problems)


async def _told(peer: PeerConfiguration, process: Process) -> tuple[PeerSettings, tuple[Problem, ...]]:
    """Read the peer's settings; where they cannot be read now that is a problem. Raises `ConfigError` for broken registries."""
    try:
        told = await peer.read()
    except KubeError as error:
        process.log.warning("peer settings", detail=error.message, hint=error.hint, code=error.code)
        problem = Problem(path="", code=error.code, message=error.message, hint=error.hint, origin=str(peer))
        return PeerSettings(), (problem,)
    if told.is_broken:
        first = told.problems[0]
        # images would be asked for at other registries than was meant
        raise ConfigError(f"{peer}: {first.message}", hint=first.hint, code=first.code, path=first.path, problems=told.problems)
    return told, ()


def _answers(wanted: ApplicationsSettings, client: KubeClient, process: Process) -> Answers:
    metrics, log = process.metrics, process.log

    def failed(subject: str, error: KubeError) -> None:
        log.warning("answer", subject=subject, detail=error.message, hint=error.hint, code=error.code)

    def event_failed(error: KubeError) -> None:
        metrics.count("updater_kubernetes_writes_total", "event", error.code)
        log.warning("event", detail=error.message, hint=error.hint, code=error.code)

    instance = os.environ.get("POD_NAME") or socket.gethostname()
    return Answers(
        events=Events(client, component=COMPONENT, instance=instance, report=event_failed) if wanted.events else None,
        refresh=wanted.refresh,
        may_write=process.may_write,
        count=lambda kind, result: metrics.count("updater_kubernetes_writes_total", kind, result),
        report=failed,
    )


def _repository_reporter(process: Process) -> Callable[[str], None]:
    def report(sentence: str) -> None:
        process.log.warning("repository secret", detail=sentence)

    return report


def _watch_reporter(process: Process) -> Callable[[Watched[Any], KubeError | None], None]:
    def report(watched: Watched[Any], error: KubeError | None) -> None:
        process.metrics.set("updater_watch_lost", watched.kind.resource, to=0 if error is None else 1)
        if error is None:
            process.log.info("watched again", what=str(watched))
        else:
            process.log.warning("watch lost", what=str(watched), detail=error.message, hint=error.hint, code=error.code)

    return report
