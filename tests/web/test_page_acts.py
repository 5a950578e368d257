"""What the forms of the page promise: they do what the API does, in the name of who asks, and only for who may."""

from __future__ import annotations

import ipaddress
import re

import pytest

from tests.web.shown import HOSTILE, fleet
from tests.web.site import ActsByHand, FleetByHand, RegistrarByHand, opened
from updater.web.acts import ActKind, ChangePreview
from updater.web.fleet import FleetRow
from updater.web.page.rendering import address_of

FORM = re.compile(r'<form class="act" method="post" action="([^"]*)"')
PLACE = "/subscriptions/app-0001"


@pytest.fixture
async def site():
    async with opened(fleet()) as found:
        yield found


async def post(site, path, headers=None, **fields):
    async with site.session.post(f"{site.base}{path}", data=fields, headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers


async def test_there_is_a_form_for_each_act_with_a_token_and_a_reason(site):
    _, text, _ = await site.get(PLACE)
    assert FORM.findall(text) == [f"{PLACE}/{kind}" for kind in ("hold", "release", "reject", "pin", "scan")]
    assert text.count(f'name="form_token" value="{await site.form_token()}"') == len(ActKind)
    assert text.count('name="reason"') == len(ActKind)


@pytest.mark.parametrize(
    ("act", "fields", "image"),
    [
        ("hold", {"for": "4h"}, ""),
        ("hold", {"for": ""}, ""),
        ("release", {}, ""),
        ("reject", {"image": "1.4.3", "for": ""}, "1.4.3"),
        ("pin", {"tag": "1.4.2", "for": "1d"}, "1.4.2"),
        ("scan", {}, ""),
    ],
)
async def test_a_form_does_what_the_api_does_and_answers_a_page(site, act, fields, image):
    token = await site.form_token()
    status, text, _ = await post(site, f"{PLACE}/{act}", form_token=token, reason="incident 4711", **fields)
    assert status == 200
    assert f'<a href="{PLACE}">' in text
    (order,) = site.acts.orders
    assert (order.kind, order.key, order.author, order.reason, order.image) == (
        act,
        "app-0001",
        "localhost",
        "incident 4711",
        image,
    )
    assert order.lasts == (fields.get("for") or None)


async def test_with_scripts_a_form_is_answered_by_a_part_and_the_subscription_is_shown_anew(site):
    token = await site.form_token()
    status, text, headers = await post(site, f"{PLACE}/hold", {"HX-Request": "true"}, form_token=token, reason="why")
    assert (status, headers["HX-Trigger"]) == (200, "refresh")
    assert "<html" not in text


@pytest.mark.parametrize(
    ("headers", "token", "code"),
    [({}, "", "form-token"), ({}, "wrong", "form-token"), ({"Origin": "https://evil.test"}, None, "other-origin")],
)
async def test_what_does_not_come_from_the_page_does_nothing(site, headers, token, code):
    token = await site.form_token() if token is None else token
    status, text, headers = await post(site, f"{PLACE}/hold", headers, form_token=token, reason="why")
    assert status == 403
    assert code in text
    assert "HX-Trigger" not in headers
    assert site.acts.orders == []


async def test_a_form_without_a_reason_is_refused_in_words(site):
    status, text, _ = await post(site, f"{PLACE}/hold", form_token=await site.form_token(), reason=" ")
    assert status == 400
    assert "hold needs a reason" in text


async def test_who_may_only_read_sees_no_forms_and_can_post_none():
    proxies = (ipaddress.ip_network("127.0.0.1"),)
    registrar = RegistrarByHand(host="0.0.0.0", header="X-Forwarded-User", proxies=proxies, act=("ada",))
    jane, ada = ({"X-Forwarded-User": name} for name in ("jane", "ada"))
    async with opened(fleet(), registrar=registrar) as site:
        _, text, _ = await site.get(PLACE, headers=jane)
        assert FORM.findall(text) == []
        assert "jane" in text
        status, _, _ = await post(site, f"{PLACE}/hold", jane, form_token=await site.form_token(headers=jane), reason="why")
        assert (status, site.acts.orders) == (403, [])
        _, text, _ = await site.get(PLACE, headers=ada)
        assert len(FORM.findall(text)) == len(ActKind)


async def test_the_preview_is_a_diff_whose_lines_are_shown_as_texts(site):
    async def preview(_order, _key):
        return ChangePreview(diff=(f"-image: {HOSTILE}", "+image: web:2", " same"), targets=(), is_cut=True)

    site.acts.preview = preview
    _, text, _ = await site.get(f"{PLACE}/preview")
    assert '<span class="add">+image: web:2</span>' in text
    assert "<img src=x" not in text
    assert "The diff is longer than this." in text


async def test_the_preview_of_an_act_is_that_of_what_it_would_decide(site):
    await site.get(f"{PLACE}/preview?act=pin&tag=1.4.2&for=")
    (order,) = site.acts.orders
    assert (order.kind, order.image) == (ActKind.PIN, "1.4.2")


async def test_a_follower_hands_on_to_the_api_of_the_leader():
    acts = ActsByHand(leads=False)
    async with opened(fleet(), acts=acts) as site:
        status, text, _ = await post(site, f"{PLACE}/hold", form_token=await site.form_token(), reason="why")
        assert status == 200
        assert "done" in text
    assert [path for path, _, _ in acts.handed] == ["/api/v1/subscriptions/app-0001/hold"]


async def test_a_key_that_ends_as_a_preview_does_is_that_subscription_unless_a_shorter_key_is_there():
    keys = ("a/preview", "b", "b/preview")
    rows = [FleetRow(key=key, image=f"r.test/{number}", state="held") for number, key in enumerate(keys)]
    async with opened(FleetByHand(*rows)) as site:
        for path, image in (("a/preview", "r.test/0"), ("a%2Fpreview", "r.test/0"), ("b%2Fpreview", "r.test/2")):
            _, body, _ = await site.get(f"/api/v1/subscriptions/{path}")
            assert body["row"]["image"] == image
            _, text, _ = await site.get(f"/subscriptions/{path}")
            assert image in text
        assert site.acts.orders == []
        for path in ("b/preview", "a%2Fpreview/preview"):
            assert (await site.get(f"/api/v1/subscriptions/{path}"))[1]["diff"] == ["-a", "+b"]
            assert (await site.get(f"/subscriptions/{path}"))[0] == 200
        assert len(site.acts.orders) == 4


@pytest.mark.parametrize("key", [".", "..", "a/../b", "../.."])
async def test_a_key_of_dots_has_an_address_that_browsers_keep(key):
    address = address_of(key)
    assert all(part.lower().replace("%2e", ".") not in {".", ".."} for part in address.split("/"))
    async with opened(FleetByHand(FleetRow(key=key, image="r.test/dots", state="held"))) as site:
        _, text, _ = await site.get(address)
        assert "r.test/dots" in text
        token = await site.form_token()
        form = {"reason": "freeze", "form_token": token}
        assert (await site.post(f"{address}/hold", data=form, headers={"Origin": site.base}))[0] == 200
        assert [order.key for order in site.acts.orders] == [key]
