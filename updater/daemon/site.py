"""Puts together who answers at `listen.web` for the API: what is read, what people do, and who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.daemon.fleet_acts import FleetActs
from updater.daemon.fleet_desk import FleetDesk
from updater.daemon.site_registrar import SiteRegistrar
from updater.web.shield import is_loopback
from updater.web.site import SiteDesks

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.generation import Generation
    from updater.daemon.process import Process


def site_desks(process: Process, generation: Callable[[], Generation]) -> SiteDesks:
    """Return who answers; *generation* returns the one in force."""
    listen = generation().loaded.settings.listen.web
    registrar = SiteRegistrar(process, generation, is_local=listen is not None and is_loopback(listen.host))
    fleet = FleetDesk(process, generation)
    return SiteDesks(fleet=fleet, acts=FleetActs(process, generation, registrar, fleet), registrar=registrar)
