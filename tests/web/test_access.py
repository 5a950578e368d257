"""Who is let in: people with a password, people whom a proxy names, nobody else, and no page of another site."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import replace
from types import SimpleNamespace

import aiohttp
import bcrypt
import pytest

from tests.web.site import ActsByHand, FleetByHand, RegistrarByHand, opened
from updater.settings.web import WebSettings
from updater.web import bodies, password_queue
from updater.web.acts import NOT_KNOWN, NOT_SENT
from updater.web.answers import ApiRefusal
from updater.web.fleet import FleetRow
from updater.web.password_queue import PasswordQueue
from updater.web.passwords import UserTable, is_password, read_users
from updater.web.people import SiteRules, rules_of
from updater.web.sessions import MOST_ENDED, Session, SessionSigner, UsedTokens, handed_on
from updater.web.throttle import BY_BOTH, BY_KNOWN, BY_NAME, LONGEST_DELAY, Throttle

WEB = FleetRow(key="shop/web", image="r.test/web", state="held")
HOLD = "/api/v1/subscriptions/shop%2Fweb/hold"
WHY = {"reason": "freeze"}
BODY = b'{"reason": "freeze"}'
PROXIES = (ipaddress.ip_network("127.0.0.0/8"),)
OTHERS = (ipaddress.ip_network("10.0.0.0/8"),)


def hashed(password):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


USERS = f"jane:{hashed('secret')}\nviv:{hashed('other')}\nout:{hashed('third')}\n"


def registrar(**options):
    return RegistrarByHand(**{"host": "0.0.0.0", "users": USERS, "view": ("viv",), "act": ("jane",)} | options)


@pytest.fixture
async def site():
    async with opened(FleetByHand(WEB), registrar=registrar()) as found:
        yield found


async def signed_in(site, name="jane", password="secret"):
    return await site.post("/api/v1/session", json={"user": name, "password": password})


def basic(name, password):
    return {"Authorization": aiohttp.encode_basic_auth(name, password)}


async def test_nobody_reads_or_acts_who_has_not_signed_in(site):
    for path in ("/api/v1/subscriptions", "/api/v1/events", "/api/v1/health", "/api/v1/subscriptions/shop/web/preview"):
        status, body, headers = await site.get(path)
        assert (status, body["error"]["code"]) == (401, "sign-in")
        assert "WWW-Authenticate" not in headers  # a browser would keep the password, and send it with every request
    assert (await site.post(HOLD, json=WHY))[0] == 401
    assert site.acts.orders == []
    status, _, headers = await site.get("/")
    assert (status, headers["Location"]) == (303, "/sign-in")
    status, page, headers = await site.get("/sign-in")
    assert (status, "<form" in page, "form-action 'self'" in headers["Content-Security-Policy"]) == (200, True, True)


async def test_who_signs_in_acts_by_name_and_nothing_of_it_is_readable_by_scripts(site):
    status, _, headers = await signed_in(site)
    assert status == 204
    cookie = headers["Set-Cookie"]
    assert ("HttpOnly" in cookie, "SameSite=Lax" in cookie, "Path=/" in cookie, "Secure" in cookie) == (True, True, True, False)
    token = await site.form_token()
    status, body, _ = await site.post(HOLD, json=WHY, headers={"X-Form-Token": token})
    assert (status, body["author"]) == (200, "jane")
    (order,) = site.acts.orders
    assert (order.kind, order.key, order.author, order.reason) == ("hold", "shop/web", "jane", "freeze")
    assert site.acts.results == [("hold", "changed")]


async def test_over_tls_a_cookie_is_kept_to_this_host_and_to_tls():
    async with opened(FleetByHand(WEB), registrar=registrar(origin="https://updater.test")) as site:
        _, _, headers = await signed_in(site)
        assert headers["Set-Cookie"].startswith("__Host-updater=")
        assert "Secure" in headers["Set-Cookie"]


async def test_a_form_signs_in_and_leads_to_the_page_and_a_wrong_one_is_asked_again(site):
    form = {"user": "jane", "password": "<script>"}
    status, page, _ = await site.post("/api/v1/session", data=form)
    assert (status, "wrong" in page, "<script>" in page) == (401, True, False)
    status, _, headers = await site.post("/api/v1/session", data={"user": "jane", "password": "secret"})
    assert (status, headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    ("name", "password"), [("jane", "Secret"), ("jane", ""), ("nobody", "secret"), ("", ""), ("jane", "secret" + "x" * 80)]
)
async def test_a_wrong_password_and_an_unknown_name_are_told_alike(site, name, password):
    status, body, _ = await signed_in(site, name, password)
    assert (status, body["error"]["message"]) == (401, "the name or the password is wrong")
    assert site.registrar.denials == [("password", name)]


async def test_after_too_many_wrong_passwords_even_the_right_one_must_wait(site):
    for _ in range(BY_BOTH.burst):
        assert (await signed_in(site, "jane", "wrong"))[0] == 401
    status, _, headers = await signed_in(site)
    assert (status, int(headers["Retry-After"]) >= 1) == (429, True)
    assert (await signed_in(site, "viv", "other"))[0] == 204


async def test_who_signed_in_from_an_address_is_not_locked_out_there_by_wrong_passwords(site, monkeypatch):
    slept = delays(monkeypatch)
    assert (await signed_in(site))[0] == 204
    for _ in range(BY_BOTH.burst + 5):
        assert (await signed_in(site, "jane", "wrong"))[0] == 401
    assert (await signed_in(site))[0] == 204
    assert max(slept) == LONGEST_DELAY  # who guesses there is slowed down


async def test_one_who_guesses_where_the_name_signed_in_lately_is_refused_in_the_end(site, monkeypatch):
    delays(monkeypatch)
    assert (await signed_in(site))[0] == 204
    found = [(await signed_in(site, "jane", "wrong"))[0] for _ in range(BY_KNOWN.burst + 5)]
    assert (set(found), set(found[: BY_KNOWN.burst]), found[-1]) == ({401, 429}, {401}, 429)


async def test_of_guesses_from_many_addresses_for_one_name_one_waits_at_a_time(monkeypatch):
    """Others of another name, and that person where they signed in lately, do not wait behind it."""
    delays(monkeypatch)

    async def users():
        return read_users(USERS)

    queue = PasswordQueue(users, lambda: 0.0)

    async def tried(address, name, password):
        try:
            await queue.check(address, name, password)
        except ApiRefusal as refusal:
            return refusal.status
        return 204

    try:
        assert await tried("10.9.9.9", "jane", "secret") == 204
        for number in range(BY_NAME.burst):
            assert await tried(f"10.0.0.{number}", "jane", "wrong") == 401
        found = await asyncio.gather(*(tried(f"10.0.1.{number}", "jane", "wrong") for number in range(20)))
        assert sorted(found) == [401] + [429] * 19
        found = await asyncio.gather(
            tried("10.0.2.1", "jane", "wrong"), tried("10.9.9.9", "jane", "secret"), tried("10.0.2.1", "viv", "other")
        )
        assert found == [401, 204, 204]
        assert await tried("10.0.2.2", "jane", "secret") == 204  # the one that waited has made way
    finally:
        queue.close()


def delays(monkeypatch):
    """Let nobody wait; return for how long they would have."""
    slept, sleep = [], asyncio.sleep

    async def at_once(seconds, *rest):
        slept.append(seconds)
        await sleep(0, *rest)

    monkeypatch.setattr(password_queue, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": at_once}))
    return slept


def test_one_who_guesses_locks_out_nobody_else_of_that_name_or_address():
    now = 0.0
    throttle = Throttle(lambda: now)
    for _ in range(1000):
        throttle.failed("a", "jane")
        throttle.failed("a", "any")
    assert throttle.wait("a", "jane") > 0
    for address, name in (("b", "jane"), ("a", "viv")):
        assert (throttle.wait(address, name), throttle.delay(address, name)) == (0, LONGEST_DELAY)
    throttle.passed("b", "jane")
    assert throttle.delay("b", "jane") == 0
    now = 3600.0
    assert (throttle.wait("a", "jane"), throttle.delay("a", "viv")) == (0, 0)
    for number in range(10_000):
        throttle.failed(f"{number}", f"{number}")
    assert throttle.wait("a", "jane") == 0


def test_guesses_from_many_addresses_of_one_ipv6_network_are_those_of_one():
    throttle = Throttle(lambda: 0.0)
    for number in range(BY_BOTH.burst):
        throttle.failed(f"2001:db8::{number}", "jane")
    assert throttle.wait("2001:db8::ffff", "jane") > 0
    assert throttle.wait("2001:db8:0:1::1", "jane") == 0


async def test_behind_an_ingress_that_is_trusted_each_address_counts_for_itself():
    async with opened(FleetByHand(WEB), registrar=registrar(proxies=PROXIES)) as site:

        async def sign_in(password, forwarded):
            body = {"user": "jane", "password": password}
            return (await site.post("/api/v1/session", json=body, headers={"X-Forwarded-For": forwarded}))[0]

        for number in range(BY_BOTH.burst):
            assert await sign_in("wrong", f"10.9.9.{number}, 10.0.0.1") == 401  # what a client writes comes before
        assert await sign_in("secret", "10.0.0.1") == 429
        assert await sign_in("secret", "10.0.0.2, 127.0.0.9") == 204
        assert (await site.get("/api/v1/health", headers={"X-Forwarded-User": "jane"}))[0] == 200  # by the session
        site.session.cookie_jar.clear()
        assert (await site.get("/api/v1/health", headers={"X-Forwarded-User": "jane"}))[0] == 401
    async with opened(FleetByHand(WEB), registrar=registrar(proxies=OTHERS)) as site:
        for number in range(BY_BOTH.burst):
            assert await sign_in("wrong", f"10.0.0.{number}") == 401
        assert await sign_in("secret", "10.0.1.1") == 429


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "6.6.6.6, 1.2.3.4:555", "1.2.3.4"),
        ("127.0.0.1", "[2001:db8::1]:80, 127.0.0.2", "2001:db8::1"),
        ("::ffff:127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "1.2.3.4, unknown", "127.0.0.1"),
        ("9.9.9.9", "1.2.3.4", "9.9.9.9"),
        ("127.0.0.1", "127.0.0.3,127.0.0.2", "127.0.0.3"),
        ("127.0.0.1", "1.2.3.4," * 100_000 + "5.6.7.8", "5.6.7.8"),
        ("", "1.2.3.4", ""),
    ],
)
def test_the_address_of_who_asks_is_what_the_last_trusted_proxy_says(peer, forwarded, client):
    assert SiteRules(is_local=False, proxies=PROXIES).client(peer, forwarded) == client


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.42.5.5", "6.6.6.6", "10.42.5.5"),  # a pod that asks by itself
        ("10.42.3.17", "6.6.6.6, 10.42.5.5", "10.42.5.5"),  # and one that asks through the Ingress
        ("10.42.3.17", "10.42.3.17, 10.42.5.5", "10.42.5.5"),
    ],
)
def test_beside_an_ingress_that_is_named_by_its_address_a_pod_asks_from_its_own(peer, forwarded, client):
    web = WebSettings(trusted_proxies={"header": None, "from": ["10.42.3.17"]})
    assert rules_of(web, is_local=False).client(peer, forwarded) == client


@pytest.mark.parametrize("header", [None, "X-Person"])
def test_a_proxy_without_a_header_signs_nobody_in(header):
    rules = rules_of(WebSettings(trusted_proxies={"header": header, "from": ["127.0.0.1"]}), is_local=False)
    assert (rules.knows_people, rules.is_proxy("127.0.0.1")) == (header is not None, True)


async def test_who_may_only_read_does_not_act_and_who_may_nothing_does_not_read(site):
    await signed_in(site, "viv", "other")
    token = await site.form_token()
    assert (await site.get("/api/v1/subscriptions"))[0] == 200
    for status, body, _ in (
        await site.post(HOLD, json=WHY, headers={"X-Form-Token": token}),
        await site.get("/api/v1/subscriptions/shop%2Fweb/preview"),
    ):
        assert (status, body["error"]["code"]) == (403, "forbidden")
    await signed_in(site, "out", "third")
    assert (await site.get("/api/v1/subscriptions"))[0] == 403
    assert site.registrar.denials == [("act", "viv"), ("act", "viv"), ("view", "out")]
    assert site.acts.orders == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_does_not_act_in_the_name_of_who_signed_in(site, headers):
    await signed_in(site)
    token = await site.form_token()
    status, body, _ = await site.post(HOLD, json=WHY, headers={"X-Form-Token": token, **headers})
    assert (status, body["error"]["code"]) == (403, "other-origin")
    assert (await site.post("/api/v1/session", json={"user": "jane", "password": "secret"}, headers=headers))[0] == 403
    assert site.acts.orders == []


@pytest.mark.parametrize("path", ["/api/v1/subscriptions/shop/web/preview", "/subscriptions/shop%2Fweb/preview"])
async def test_a_page_of_another_site_makes_no_preview_in_the_name_of_who_signed_in(site, path):
    await signed_in(site)
    for site_of_page in ("cross-site", "same-site"):
        assert (await site.get(path, headers={"Sec-Fetch-Site": site_of_page}))[0] == 403
    assert site.acts.orders == []
    assert (await site.get(path, headers={"Sec-Fetch-Site": "same-origin"}))[0] == 200


@pytest.mark.parametrize("token", ["", "wrong", "k" * 43])
async def test_without_the_token_of_the_form_nothing_is_done(site, token):
    await signed_in(site)
    for options in ({"json": WHY, "headers": {"X-Form-Token": token}}, {"data": {**WHY, "form_token": token}}):
        status, body, _ = await site.post(HOLD, **options)
        assert (status, body["error"]["code"]) == (403, "form-token")
    assert site.acts.orders == []


async def test_a_form_of_the_page_acts_with_the_token_in_a_field(site):
    await signed_in(site)
    token = await site.form_token()
    origin = {"Origin": site.base, "Sec-Fetch-Site": "same-origin"}
    assert (await site.post(HOLD, data={**WHY, "form_token": token}, headers=origin))[0] == 200


async def test_a_session_outlasts_a_restart_and_ends_with_the_password_the_user_or_a_sign_out():
    first = registrar()
    async with opened(FleetByHand(WEB), registrar=first) as site:
        _, _, headers = await signed_in(site)
        cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
    async with opened(FleetByHand(WEB), registrar=registrar()) as site:
        assert (await site.get("/api/v1/health", headers=cookie))[0] == 200
        site.registrar.table = read_users(f"jane:{hashed('secret')}\n")
        assert (await site.get("/api/v1/health", headers=cookie))[0] == 401
        site.registrar.table = read_users("")
        assert (await site.get("/api/v1/health", headers=cookie))[0] == 401
        site.registrar.table = first.table
        token = await site.form_token(headers=cookie)
        assert (await site.send("DELETE", "/api/v1/session", headers={**cookie, "X-Form-Token": token}))[0] == 204
        assert (await site.get("/api/v1/health", headers=cookie))[0] == 401


def test_a_token_is_good_for_its_purpose_its_time_and_its_key_alone():
    now = 1000.0
    signer = SessionSigner(key=b"k" * 32, wall=lambda: now)
    token = signer.begin("jane", lasts=10)
    assert signer.read(token).name == "jane"
    assert signer.read(token, purpose="replica") is None
    assert SessionSigner(key=b"x" * 32, wall=lambda: now).read(token) is None
    for broken in ("", ".", "a.b", token[:-1], f"x{token}", f"{token}é", token.replace(".", ""), "a" * 5000):
        assert signer.read(broken) is None
    now = 1010.0
    assert signer.read(token) is None


async def test_programs_send_a_password_with_each_request_and_need_no_form_token(site):
    assert (await site.post(HOLD, json=WHY, headers=basic("jane", "secret")))[0] == 200
    assert (await site.get("/api/v1/health", headers=basic("jane", "wrong")))[0] == 401
    assert (await site.get("/api/v1/health", headers={"Authorization": "Basic %%%"}))[0] == 401
    site.registrar.table = read_users("")
    assert (await site.get("/api/v1/health", headers=basic("jane", "secret")))[0] == 401


async def test_a_proxy_says_who_somebody_is_and_nobody_else_does():
    rules = {"users": "", "header": "X-Forwarded-User", "view": ("*",)}
    said = {"X-Forwarded-User": "jane"}
    async with opened(FleetByHand(WEB), registrar=registrar(**rules, proxies=PROXIES)) as site:
        token = await site.form_token(headers=said)
        assert (await site.post(HOLD, json=WHY, headers=said))[0] == 403  # the proxy's cookie would be sent by any page
        assert (await site.post(HOLD, json=WHY, headers={**said, "X-Form-Token": token}))[0] == 200
        assert site.acts.orders[0].author == "jane"
        for headers in ({}, {"X-Forwarded-User": ""}, [("X-Forwarded-User", "jane"), ("X-Forwarded-User", "viv")]):
            assert (await site.get("/api/v1/health", headers=headers))[0] == 401
    async with opened(FleetByHand(WEB), registrar=registrar(**rules, proxies=OTHERS)) as site:
        assert (await site.get("/api/v1/health", headers=said))[0] == 401


async def test_on_loopback_without_users_who_is_there_acts_but_no_page_of_another_site():
    async with opened(FleetByHand(WEB)) as site:
        assert (await site.post(HOLD, json=WHY))[0] == 403
        token = await site.form_token()
        assert (await site.post(HOLD, json=WHY, headers={"X-Form-Token": token}))[0] == 200
        rebound = {"X-Form-Token": token, "Host": "evil.test", "Origin": "http://evil.test"}
        assert (await site.post(HOLD, json=WHY, headers=rebound))[0] == 421
        assert [order.author for order in site.acts.orders] == ["localhost"]


async def test_on_loopback_behind_a_proxy_that_names_nobody_there_must_be_users():
    """Who comes through a sidecar seems to be on this machine, whoever it is."""
    web = WebSettings(trusted_proxies={"header": None, "from": ["127.0.0.1"]})
    async with opened(FleetByHand(WEB)) as site:
        site.registrar.rules = rules_of(web, is_local=True)
        for headers in ({}, {"X-Forwarded-For": "6.6.6.6"}):
            for path in ("/api/v1/subscriptions", "/api/v1/session"):
                status, body, _ = await site.get(path, headers=headers)
                assert (status, body["error"]["code"]) == (403, "no-users")
        site.registrar.rules = replace(site.registrar.rules, has_users=True)
        site.registrar.table = read_users(USERS)
        assert (await site.get("/api/v1/subscriptions"))[0] == 401
        assert (await signed_in(site))[0] == 204


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"x" * 20_000, "headers": {"Content-Type": "application/json"}}, 413),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": ["reason"]}, 400),
        ({"json": {"reason": 5}}, 400),
        ({"json": {"reason": "x", "colour": "red"}}, 400),
        ({"json": {"reason": "  "}}, 400),
        ({"data": b"reason=x", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": b"x", "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"}}, 415),
    ],
)
async def test_a_body_that_is_none_of_ours_is_refused(site, options, status):
    headers = {**options.pop("headers", {}), **basic("jane", "secret")}
    found, body, _ = await site.post(HOLD, headers=headers, **options)
    assert (found, bool(body["error"]["code"])) == (status, True)
    assert site.acts.orders == []


async def test_a_body_that_never_ends_is_given_up_while_others_act(site, monkeypatch):
    monkeypatch.setattr(bodies, "SLOWEST", 0.05)

    async def pieces():
        yield b'{"reason"'
        await asyncio.sleep(3600)

    headers = {"Content-Type": "application/json", **basic("jane", "secret")}
    found, body, _ = await site.post(HOLD, data=pieces(), headers=headers)
    assert (found, body["error"]["code"]) == (408, "slow-body")
    assert (await site.post(HOLD, json=WHY, headers=basic("jane", "secret")))[0] == 200
    assert len(site.acts.orders) == 1


async def test_what_the_program_refuses_is_told_with_its_code(site):
    status, body, _ = await site.post("/api/v1/subscriptions/gone/hold", json=WHY, headers=basic("jane", "secret"))
    assert (status, body["error"]["code"]) == (404, "unknown-key")
    assert site.acts.results == [("hold", "unknown-key")]
    status, body, _ = await site.post("/api/v1/subscriptions/web/pin", json=WHY, headers=basic("jane", "secret"))
    assert (status, body["error"]["message"]) == (400, "pin needs the field tag")


async def test_a_replica_that_waits_hands_on_in_the_name_of_the_person_and_never_twice():
    acts = ActsByHand(leads=False)
    async with opened(FleetByHand(WEB, is_leader=False), registrar=registrar(), acts=acts) as site:
        status, body, _ = await site.post(HOLD, json=WHY, headers=basic("jane", "secret"))
        assert (status, body, acts.handed) == (200, {"handed": True}, [(HOLD, WHY, "jane")])
        for _ in range(2):  # what was not done may come again
            status, body, _ = await site.post(HOLD, **handed(site))
            assert (status, body["error"]["code"], len(acts.handed)) == (503, "not-leading", 1)
        for told, status in ((401, 503), (503, 503), (NOT_SENT, 503), (NOT_KNOWN, 504), (500, 504), (502, 504)):
            acts.status = told
            assert (await site.post(HOLD, json=WHY, headers=basic("jane", "secret")))[0] == status


def handed(site, *, name="jane", path=HOLD, method="POST", signed=BODY, sent=BODY, token=""):
    """Return what another replica sends."""
    token = token or site.registrar.key.begin(name, purpose=handed_on(method, path, signed))
    return {"data": sent, "headers": {"X-Updater-Person": token, "Content-Type": "application/json"}}


async def test_the_replica_that_leads_knows_what_is_handed_on_by_the_key_alone_and_once(site):
    sent = handed(site)
    assert (await site.post(HOLD, **sent))[0] == 200
    assert (await site.post(HOLD, **sent))[0] == 401
    for other in (
        {"token": site.registrar.key.begin("jane")},
        {"token": site.registrar.key.begin("jane", purpose="replica")},
        {"name": "viv"},
        {"signed": b"{}"},
        {"method": "DELETE"},
        {"path": HOLD.replace("hold", "release")},
    ):
        assert (await site.post(HOLD, **handed(site, **other)))[0] in {401, 403}
    assert len(site.acts.orders) == 1
    assert (await site.post("/api/v1/subscriptions/shop/web/hold", **handed(site)))[0] == 200  # the same path


def test_no_more_tokens_are_taken_than_can_be_remembered():
    used, now = UsedTokens(), 0.0
    for number in range(MOST_ENDED):
        assert used.use(Session(name="jane", number=str(number), ends=60.0), now)
    assert not used.use(Session(name="jane", number="last", ends=60.0), now)
    assert used.use(Session(name="jane", number="last", ends=90.0), 60.0)


def test_only_lines_of_bcrypt_are_users_and_no_problem_repeats_a_line():
    good = hashed("secret")
    table = read_users(
        f"# users\n\njane:{good}\njane:{good}\nold:$apr1$abc$def\n:{good}\nslow:{good.replace('$04$', '$31$')}\nbad\x1b:{good}\n"
    )
    assert set(table.hashes) == {"jane"}
    assert [problem.partition(":")[0] for problem in table.problems] == ["line 4", "line 5", "line 6", "line 7", "line 8"]
    assert not any("apr1" in problem for problem in table.problems)


async def test_a_hash_that_bcrypt_cannot_read_is_told_and_signs_nobody_in(site):
    damaged = "$2b$04$" + "." * 21 + "9" + "a" * 31
    table = read_users(f"jane:{damaged}\nviv:{hashed('other')}\n")
    assert (set(table.hashes), [problem.partition(":")[0] for problem in table.problems]) == ({"viv"}, ["line 1"])
    site.registrar.table = UserTable(hashes={"jane": damaged})
    for name in ("jane", "nobody"):
        assert (await signed_in(site, name, "secret"))[0] == 401


@pytest.mark.parametrize("password", ["", "a\x00b", "x" * 73, "\ud800"])
def test_a_password_that_no_user_can_have_is_wrong(password):
    assert not is_password(read_users(USERS), "jane", password)


async def test_passwords_are_checked_beside_the_loop(site):
    """Sixteen at most; who comes then is told to come back."""
    site.registrar.table = read_users(f"jane:{bcrypt.hashpw(b'secret', bcrypt.gensalt(9)).decode()}\n")
    tries = [asyncio.create_task(signed_in(site, f"n{number}", "wrong")) for number in range(10)]
    assert (await site.get("/sign-in"))[0] == 200
    assert {status for status, _, _ in await asyncio.gather(*tries)} <= {401, 429}
