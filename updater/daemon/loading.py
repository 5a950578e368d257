"""How the configuration of a process is loaded: read, and tried as far as that needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from updater.daemon.notifications import check_routes
from updater.errors import ConfigError, TemplateError
from updater.model.problem import Problem
from updater.sources.file import load
from updater.writeback.message_trial import try_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from updater.daemon.cluster_connection import ClusterConnection
    from updater.model.release import ClusterContext
    from updater.sources.file import LoadedConfiguration


def load_tried(config: Iterable[str | Path], environ: Mapping[str, str]) -> LoadedConfiguration:
    """Load *config*, and render its templates once: a field that is not there would fail at the first commit or message.

    Raises `ConfigError`.
    """
    loaded = load([Path(path) for path in config], environ)
    message = loaded.settings.git.message
    try:
        if message is not None:
            try_message(message)
    except TemplateError as error:
        raise ConfigError(f"git.message: {error.message}", hint=error.hint, code=error.code) from error
    if loaded.settings.notifications:
        check_routes(loaded.settings.notifications)
    return loaded


def check_contexts(loaded: LoadedConfiguration, connection: ClusterConnection) -> None:
    """Raise `ConfigError` for each subscription that names a cluster to which no kubeconfig leads; asks no server."""
    wrong = tuple(_unknown_contexts(loaded, connection))
    if wrong:
        raise ConfigError(wrong[0].message, hint=wrong[0].hint, code=wrong[0].code, path=wrong[0].path, problems=wrong)


def _unknown_contexts(loaded: LoadedConfiguration, connection: ClusterConnection) -> Iterator[Problem]:
    said: dict[ClusterContext, ConfigError | None] = {}
    named: dict[str, ClusterContext] = {}
    for item in loaded.snapshot.subscriptions:
        cluster = item.delivery.cluster if item.delivery else None
        if cluster is None:
            continue
        if cluster not in said:
            said[cluster] = _failure(cluster, connection) or _ambiguity(cluster, named.setdefault(cluster.context, cluster))
        if (error := said[cluster]) is not None:
            message, origin = f"{item.key}: delivery.context: {error.message}", item.origin
            yield Problem(path=origin.name, line=origin.line, code=error.code, message=message, hint=error.hint, origin=item.key)


def _ambiguity(cluster: ClusterContext, first: ClusterContext) -> ConfigError | None:
    """Return why *cluster* cannot be told from the *first* one of its name, as webhooks and messages name them."""
    if cluster == first:
        return None
    files = " and ".join(item.kubeconfig or "the usual kubeconfig" for item in (first, cluster))
    message = f"two clusters have the context {cluster.context!r}: in {files}"
    return ConfigError(message, hint="rename one of them: kubectl config rename-context", code="kubeconfig")


def _failure(cluster: ClusterContext, connection: ClusterConnection) -> ConfigError | None:
    try:
        connection.access_of(cluster)
    except ConfigError as error:
        return error
    return None
