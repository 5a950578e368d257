"""How everything that serves Argo CD's users is put together: source, answers, Git credentials, the peer's settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from updater.argocd.cluster.feedback import FeedbackOptions
from updater.argocd.cluster.source import ArgocdSource
from updater.argocd.peer_settings import REGISTRIES, PeerSettings, open_problems, overlaid, read_peer_settings, with_author
from updater.argocd.repositories import Repositories
from updater.argocd.request import TranslationDefaults
from updater.credentials.github_app import InstallationTokens
from updater.daemon.cluster_writes import event_recorder, write_counter, write_reporter
from updater.daemon.watch_reports import watch_reporter
from updater.errors import ConfigError, KubeDenied, KubeError, KubeGone
from updater.kube.kinds import CONFIG_MAP, Ref
from updater.settings.gates import GateSettings
from updater.sources.file import commit_spec_of
from updater.sources.gates import gates_of
from updater.writeback.message_trial import try_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.daemon.process import Process
    from updater.kube.client import KubeClient
    from updater.model.problem import Problem
    from updater.settings import Settings
    from updater.settings.cluster import ApplicationsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgocdComponents:
    """What serves Argo CD's users; *settings* are ours with the peer's below them, *problems* what is wrong with those."""

    settings: Settings
    source: ArgocdSource
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
        """Read what the peer is told; a ConfigMap that is not there says nothing. Raise `KubeError` and `ConfigError`."""
        self._data = await self._read()
        return PeerSettings() if self._data is None else read_peer_settings(self._data, origin=str(self), try_message=try_message)

    async def has_changed(self) -> bool:
        """Return whether it says something else than when it was read; False where it cannot be read now."""
        try:
            return await self._read() != self._data
        except (ConfigError, KubeError):
            return False

    async def _read(self) -> Mapping[str, str] | None:
        if self._ref is None:
            return None
        try:
            data = (await self._client.get(self._ref)).get("data")
        except KubeGone:
            return None
        except KubeDenied as denied:
            hint = f"grant get on configmaps named {self._ref.name} in {self._ref.namespace}, or write config_map: null"
            raise KubeDenied(denied.message, hint=hint, code=denied.code) from denied
        return {str(key): str(value) for key, value in data.items()} if isinstance(data, dict) else {}


async def argocd_components(settings: Settings, process: Process) -> ArgocdComponents:
    """Put the source of Applications together.

    Raises `ConfigError` where no way leads to a cluster or the peer's registries cannot be read, `KubeError` where the peer's
    ConfigMap cannot: images would be asked for at other registries than was meant.
    """
    client = process.cluster.client
    peer = PeerConfiguration(client, _wanted(settings))
    told = await peer.read()
    if told.is_broken:
        raise _broken(peer, told)
    both = overlaid(settings, told)
    delivery = both.delivery.options() if both.delivery else None
    wanted = _wanted(both)
    answers = _answers(wanted, client, process)
    source = ArgocdSource(
        client,
        namespaces=wanted.namespaces,
        defaults=TranslationDefaults(
            namespace=wanted.argocd_namespace,
            interval=both.interval,
            commit_spec=commit_spec_of(with_author(both)),
            annotated=wanted.annotations,
            credentials=wanted.credentials,
            git_credentials_for=wanted.git_credentials_for,
            proposal=both.git.proposal,
            branches=process.default_branches,
            precedence=process.precedence,
            gates=gates_of(GateSettings(), both.gates, delivery),
            delivery=delivery,
        ),
        answers=answers,
        report=watch_reporter(process),
    )
    tokens = InstallationTokens(process.http)
    repositories = Repositories(client, wanted.argocd_namespace, tokens=tokens, report=_repository_reporter(process))
    problems = tuple(_placed(problem, peer) for problem in open_problems(settings, told))
    return ArgocdComponents(settings=both, source=source, repositories=repositories, peer=peer, problems=problems)


def _broken(peer: PeerConfiguration, told: PeerSettings) -> ConfigError:
    """Return what ends a start: the registries alone; any other key of the ConfigMap is a problem that ends nothing."""
    wrong = tuple(_placed(problem, peer) for problem in told.problems if problem.path == REGISTRIES)
    first = wrong[0]
    return ConfigError(f"{peer}: {first.message}", hint=first.hint, code=first.code, path=first.path, problems=wrong)


def _placed(problem: Problem, peer: PeerConfiguration) -> Problem:
    """Name the ConfigMap before the key: a key alone would be looked for in the own files."""
    return replace(problem, path=f"{peer} {problem.path}")


def _wanted(settings: Settings) -> ApplicationsSettings:
    wanted = settings.applications
    assert wanted is not None  # noqa: S101 - nobody puts these parts together where the source is off
    return wanted


def _answers(wanted: ApplicationsSettings, client: KubeClient, process: Process) -> FeedbackOptions:
    return FeedbackOptions(
        events=event_recorder(client, process) if wanted.events else None,
        refresh=wanted.refresh,
        may_write=process.may_write,
        count=write_counter(process),
        report=write_reporter(process),
    )


def _repository_reporter(process: Process) -> Callable[[str], None]:
    def report(sentence: str) -> None:
        process.log.warning("repository secret", detail=sentence)

    return report
