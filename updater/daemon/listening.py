"""What the daemon serves: metrics, probes and statuses at one address, webhooks at another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.web.app import STATUS_PATH, application, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.generation import Generation
    from updater.daemon.process import Process
    from updater.settings.values import ListenAddress
    from updater.web.app import Probes, Served


async def serve_metrics(process: Process, probes: Probes, listen: ListenAddress | None) -> Served | None:
    """Serve `listen.metrics`; raise `ConfigError` for an address that cannot be had."""
    if listen is None:
        return None
    served = await serve(application(probes), str(listen), setting="listen.metrics")
    process.log.info("listening", address=str(listen), paths=f"/metrics /healthz /readyz {STATUS_PATH}")
    return served


async def serve_web(process: Process, generation: Callable[[], Generation]) -> Served | None:
    """Serve `listen.web` for the generation in force; who has none need not import it. Raise as `serve_metrics` does."""
    listen = generation().loaded.settings.listen.web
    if listen is None:
        return None
    from updater.daemon.webhooks import WebhookDesk  # noqa: PLC0415 - see above
    from updater.web.receiving import WEB_PATHS, web_application  # noqa: PLC0415

    served = await serve(web_application(WebhookDesk(process, generation)), str(listen), setting="listen.web")
    process.log.info("listening", address=str(listen), paths=WEB_PATHS)
    return served
