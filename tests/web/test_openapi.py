"""What the description of the API promises: every route that reads or acts, and every value whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

from aiohttp import web

from tests.web.site import ActsByHand, FleetByHand, RegistrarByHand, opened
from updater.web.fleet import FleetRow
from updater.web.openapi import document
from updater.web.site import OPENAPI, SiteDesks, open_site

UNDESCRIBED = {OPENAPI, "/api/v1/status", "/api/v1/session/end"}


def test_every_route_of_the_api_is_described():
    app = web.Application()
    open_site(app, SiteDesks(fleet=FleetByHand(), acts=ActsByHand(), registrar=RegistrarByHand()))
    served = {
        (route.method.lower(), re.sub(r"\{(\w+)(?::[^}]*)?\}", r"{\1}", route.resource.canonical))
        for route in app.router.routes()
        if route.resource.canonical.startswith("/api/") and route.resource.canonical not in UNDESCRIBED
    }
    described = {(method, path) for path, item in document("1")["paths"].items() for method in item}
    acts = {(method, path) for method, path in described if method == "post"}
    assert {(method, path) for method, path in served if method == "get"} == described - acts
    assert {path.rpartition("/")[2] for _, path in acts} == {"hold", "release", "reject", "pin", "scan"}
    assert ("post", "/api/v1/subscriptions/{key}/{act}") in served


def test_every_reference_leads_to_a_schema():
    made = document("1")
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(made)))
    assert named <= set(made["components"]["schemas"])
    assert {"FleetRow", "SubscriptionDetail", "FleetEvent", "FleetHealth", "ActDone"} <= named


async def test_what_is_answered_has_every_property_that_is_described():
    async with opened(FleetByHand(FleetRow(key="web"))) as site:
        _, made, _ = await site.get(OPENAPI)
        _, page, _ = await site.get("/api/v1/subscriptions")
        _, detail, _ = await site.get("/api/v1/subscriptions/web")
        _, health, _ = await site.get("/api/v1/health")
    schemas = made["components"]["schemas"]
    for value, name in (
        (page, "RowPage"),
        (page["subscriptions"][0], "FleetRow"),
        (detail, "SubscriptionDetail"),
        (health, "FleetHealth"),
    ):
        assert set(value) == set(schemas[name]["properties"]) == set(schemas[name]["required"])


def test_the_document_is_kept_in_the_reference():
    kept = json.loads((Path(__file__).parents[2] / "docs/reference/openapi.json").read_text())
    assert kept["paths"].keys() == document("1")["paths"].keys()
