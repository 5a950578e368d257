"""What the process serves, and where: metrics and probes at `listen.metrics`, webhooks and the API at `listen.web`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from updater.reporting.metrics import CONTENT_TYPE
from updater.web.app import STATUS_PATH, Probes, application, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from updater.daemon.generation import Generation
    from updater.daemon.process import Process


@asynccontextmanager
async def serving(process: Process, generation: Callable[[], Generation]) -> AsyncIterator[None]:
    """Serve what the settings of the first generation ask for; raise `ConfigError` for an address that cannot be used.

    *generation* returns the one in force.
    """
    listen = generation().loaded.settings.listen
    wanted = []
    if listen.metrics:
        probes = Probes(
            render_metrics=process.render_metrics,
            content_type=CONTENT_TYPE,
            waits_for=lambda: generation().waits_for,
            conditions=lambda: generation().conditions,
            statuses=process.last_outcomes.statuses,
        )
        wanted.append(("metrics", application(probes), listen.metrics, f"/metrics /healthz /readyz {STATUS_PATH}"))
    if listen.web:
        from updater.daemon.site import site_desks  # noqa: PLC0415 - who serves none need not import it
        from updater.daemon.webhooks import WebhookDesk  # noqa: PLC0415
        from updater.web.site import SITE_PATHS, site_application  # noqa: PLC0415

        app = site_application(WebhookDesk(process, generation), site_desks(process, generation))
        wanted.append(("web", app, listen.web, SITE_PATHS))
    runners = []
    try:
        for name, app, address, paths in wanted:
            runners.append(await serve(app, str(address), setting=f"listen.{name}"))
            process.log.info("listening", address=str(address), paths=paths)
        yield
    finally:
        for runner in runners:
            await runner.cleanup()
