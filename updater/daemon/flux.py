"""How everything that serves Flux's users is put together: source, answers, the way to registries and Git servers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from updater.controller.options import ControllerOptions
from updater.credentials.github_app import InstallationTokens
from updater.daemon.cluster_writes import event_recorder, instance_name, write_counter, write_reporter
from updater.flux.cluster.feedback import FluxFeedback, FluxHooks
from updater.flux.cluster.namespaces import NamespaceLabels
from updater.flux.cluster.notifier import PATIENCE, EventsAddress, Notifier
from updater.flux.cluster.rival_wait import RivalWait
from updater.flux.cluster.rivals import RivalControllers
from updater.flux.cluster.source import FluxParts, FluxSource
from updater.flux.git_repositories import FluxRepositories
from updater.flux.kinds import IMAGE_REPOSITORY
from updater.flux.registry_access import FluxRegistries
from updater.flux.request.translation import FluxOptions, FluxTranslator
from updater.settings.cluster import WhileFluxRuns
from updater.settings.gates import GateSettings
from updater.sources.gates import gates_of
from updater.writeback.message_trial import try_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.daemon.process import Process
    from updater.errors import KubeError
    from updater.flux.request.requests import GitRepositoryRequest
    from updater.kube.client import KubeClient
    from updater.kube.reflector import WatchedKind
    from updater.settings import Settings
    from updater.settings.cluster import FluxSettings
    from updater.sources.base import SourceRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxComponents:
    """What serves Flux's users: the source, and how its objects reach Git servers and registries."""

    source: FluxSource
    repositories: FluxRepositories
    registries: FluxRegistries


def flux_components(
    settings: Settings,
    process: Process,
    requests: SourceRequests,
    watch_report: Callable[[WatchedKind[Any], KubeError | None], None],
) -> FluxComponents:
    """Put the source of Flux's objects together; raise `ConfigError` where no way leads to a cluster."""
    wanted = settings.flux
    assert wanted is not None  # noqa: S101 - nobody puts these parts together where the source is off
    client = process.cluster.client
    source: FluxSource

    def changed(key: tuple[str, str]) -> None:
        source.selects_another(key)

    def spec_of(namespace: str, name: str) -> Mapping[str, Any] | None:
        return source.spec_of(IMAGE_REPOSITORY, (namespace, name))

    def request_of(namespace: str, name: str) -> GitRepositoryRequest | None:
        return source.translation.sources.get((namespace, name))

    options = _options(wanted, client, process)
    hooks = FluxHooks(
        changed=changed,
        observe=process.metrics.reconciled,
        keep=partial(process.metrics.keep, "gotk_reconcile_duration_seconds"),
        notifier=_notifier(wanted, process, options),
    )
    parts = FluxParts(
        translator=FluxTranslator(_translation(settings, wanted)),
        feedback=FluxFeedback(client, options, hooks),
        labels=NamespaceLabels(client, surroundings=options.surroundings, report=_labels_reporter(process)),
        requests=requests,
        wait=_wait(wanted, client, process, options),
    )
    source = FluxSource(
        client, parts, namespaces=wanted.namespaces, selector=wanted.watch_label_selector or "", report=watch_report
    )
    return FluxComponents(
        source=source,
        repositories=FluxRepositories(client, request_of, tokens=InstallationTokens(process.http)),
        registries=FluxRegistries(client, spec_of),
    )


def _translation(settings: Settings, wanted: FluxSettings) -> FluxOptions:
    delivery = settings.delivery.options() if settings.delivery else None
    return FluxOptions(
        crosses_namespaces=wanted.cross_namespace_references,
        try_template=try_message,
        proposal=settings.git.proposal,
        gates=gates_of(GateSettings(), settings.gates, delivery),
        delivery=delivery,
    )


def _options(wanted: FluxSettings, client: KubeClient, process: Process) -> ControllerOptions:
    return ControllerOptions(
        events=event_recorder(client, process) if wanted.events else None,
        may_write=process.may_write,
        count=write_counter(process),
        report=write_reporter(process),
    )


def _notifier(wanted: FluxSettings, process: Process, options: ControllerOptions) -> Notifier | None:
    if wanted.events_address is None:
        return None
    http = process.cluster.http_with(PATIENCE)
    return Notifier(EventsAddress(url=wanted.events_address, instance=instance_name()), http, options)


def _wait(wanted: FluxSettings, client: KubeClient, process: Process, options: ControllerOptions) -> RivalWait | None:
    if wanted.while_flux_runs is WhileFluxRuns.WORK:
        return None
    told = ""

    def report(error: KubeError | None) -> None:
        nonlocal told
        code = error.code if error else ""
        if error and code != told:
            process.log.warning("leases of flux", detail=error.message, hint=error.hint, code=code)
        told = code

    rivals = RivalControllers(client, wanted.flux_namespace, selector=wanted.watch_label_selector or "", report=report)
    return RivalWait(rivals, options)


def _labels_reporter(process: Process) -> Callable[[str, KubeError], None]:
    def report(namespace: str, error: KubeError) -> None:
        process.log.warning("labels of a namespace", namespace=namespace, detail=error.message, hint=error.hint, code=error.code)

    return report
