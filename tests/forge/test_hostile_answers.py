"""What a forge may answer, and what is made of it: limits, refusals, faults, addresses; tokens never appear."""

from __future__ import annotations

import base64
import json
import os

import pytest
from aiohttp import web

from tests.fakes.forge import TOKEN, FakePull
from updater.errors import ForgeError
from updater.forge.base import ForgeAccess, ProposalState, ProposalText
from updater.forge.kinds import DIALECTS
from updater.http.client import HttpClient
from updater.http.exchange import Connection
from updater.http.limits import Patience

TEXT = ProposalText(title="Update app", body="text")


async def refused(forge, call=None):
    with pytest.raises(ForgeError) as caught:
        await (call or forge.find("updater/main", "main"))
    assert TOKEN not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def listed(server, items):
    """Answer with a listing of *items*."""
    return web.json_response({server.dialect.listed: items} if server.dialect.listed else items)


def linked(server, page):
    """Give *page* as the kind writes it."""
    return {"bitbucket": {"html": {"href": page}}, "bitbucket-server": {"self": [{"href": page}]}}.get(server.kind, page)


async def test_a_pull_request_is_opened_found_changed_commented_and_closed(server, forge):
    made = await forge.open(TEXT, branch="updater/main", base="main")
    assert (made.number, made.state, made.head) == (1, ProposalState.OPEN, server.repository.head("updater/main"))
    assert await forge.find("updater/main", "main") == (made,)
    assert await forge.find("updater/main", "other") == ()
    changed = await forge.update(1, ProposalText(title="New", body="one\ntwo"))
    assert changed.body == "one\ntwo"
    await forge.comment(1, "a word")
    closed = await forge.close(1, TEXT)
    assert (closed.state, server.pulls[0].comments, server.pulls[0].title) == (ProposalState.CLOSED, ["a word"], "Update app")
    assert [item.branch for item in await forge.find("updater/main", "main")] == ["updater/main"]


async def test_what_was_merged_is_told_from_what_was_closed(server, forge):
    await forge.open(TEXT, branch="updater/main", base="main")
    server.merge(1)
    assert (await forge.get(1)).state is ProposalState.MERGED


async def test_a_second_open_one_is_said_by_its_code(forge):
    await forge.open(TEXT, branch="updater/main", base="main")
    error = await refused(forge, forge.open(TEXT, branch="updater/main", base="main"))
    assert error.code == "proposal-exists"


async def test_an_unchanged_pull_request_is_not_sent_again_by_a_forge_with_etags(server, forge):
    await forge.open(TEXT, branch="updater/main", base="main")
    first, second = await forge.get(1), await forge.get(1)
    assert first == second
    assert server.asked[-1].endswith(" 304") is server.dialect.has_etags


async def test_every_page_is_read_up_to_the_last(server, forge):
    server.pulls += [
        FakePull(number, "t", "b", "updater/main", "main", state="closed", changed=number) for number in range(1, 121)
    ]
    found = await forge.find("updater/main", "main")
    assert [item.number for item in found] == list(range(120, 120 - len(found), -1))
    assert len(found) == (20 if server.kind == "azure" else 120)
    again = 1 if server.kind == "gitea" else 0  # something may have moved between two pages
    assert len([line for line in server.asked if line.endswith(("equests", "pulls"))]) == 3 + again


async def test_a_list_without_end_is_read_up_to_a_limit(server, forge):
    server.pulls += [FakePull(number, "t", "b", "updater/main", "main", state="closed") for number in range(1, 400)]
    found = await forge.find("updater/main", "main")
    pages = len([line for line in server.asked if line.endswith(("equests", "pulls"))])
    if server.kind == "gitea":  # it does not list by branch: what is asked for lies anywhere
        assert (len(found), pages <= 2 * 8) == (399, True)
    else:
        assert pages == 5


async def test_pull_requests_from_forks_are_not_listed(server, forge):
    server.pulls.append(FakePull(1, "t", "b", "updater/main", "main", fork=True))
    assert await forge.find("updater/main", "main") == ()


async def test_a_short_retry_after_is_waited_for(server, forge, time):
    server.fail("GET", 429, "slow down", Retry_After="5")
    assert await forge.find("updater/main", "main") == ()
    assert time.now >= 1_005


async def test_a_long_retry_after_is_kept_and_nothing_is_asked_until_then(server, forge, time):
    server.fail("GET", 429, "slow down", Retry_After="300")
    assert (await refused(forge)).code == "forge-rate-limited"
    asked = len(server.asked)
    assert (await refused(forge)).code == "forge-rate-limited"
    assert len(server.asked) == asked
    time.now += 301
    assert await forge.find("updater/main", "main") == ()


@pytest.mark.parametrize(
    ("message", "headers", "wait"),
    [
        ("You have exceeded a secondary rate limit.", {"Retry_After": "90"}, 90),
        ("You have exceeded a secondary rate limit.", {}, 60),
        ("API rate limit exceeded", {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1700001120"}, 120),
    ],
)
async def test_a_403_that_is_a_limit_is_waited_out_and_no_matter_of_rights(server, forge, time, message, headers, wait):
    server.fail("GET", 403, message, **headers)
    assert (await refused(forge)).code == "forge-rate-limited"
    time.now += wait - 1
    assert (await refused(forge)).code == "forge-rate-limited"
    time.now += 2
    assert await forge.find("updater/main", "main") == ()


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "forge-denied"), (403, "forge-denied"), (404, "forge-not-found"), (422, "forge-protocol"), (302, "forge-protocol")],
)
async def test_each_refusal_has_its_code_and_repeats_no_token(server, forge, status, code):
    server.fail("GET", status, f"your token {TOKEN} is bad")
    # Gitea says by 404 that there is none
    error = await refused(forge, forge.get(1) if (server.kind, status) == ("gitea", 404) else None)
    assert (error.code, str(status) in error.message) == (code, True)


async def test_a_server_fault_is_tried_again_where_that_does_no_harm(server, forge):
    server.fail("GET", 503)
    assert await forge.find("updater/main", "main") == ()
    server.fail("POST", 502)
    assert (await refused(forge, forge.open(TEXT, branch="updater/main", base="main"))).code == "forge-unavailable"
    assert server.pulls == []


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b'{"not": "a list"}', b'"x"', b"7"])
async def test_what_is_no_answer_of_this_api_is_said(server, forge, body):
    # of Gitea's first answer only its status counts
    server.faults += [("GET", web.Response(body=body)) for _ in range(2)]
    assert (await refused(forge)).code == "forge-protocol"


async def test_an_answer_that_would_fill_the_memory_is_never_parsed(server, forge):
    """Eight megabytes of empty mappings are two hundred of memory."""
    server.faults += [("GET", web.Response(body=b"[" + b"{}," * 600_000 + b"{}]")) for _ in range(2)]
    assert "64 MiB of memory" in (await refused(forge)).message
    server.fail("GET", 422, "x")
    server.faults[-1] = ("GET", web.Response(status=422, body=b'{"message": [' + b"[]," * 600_000 + b"[]]}"))
    assert (await refused(forge)).code == "forge-protocol"


@pytest.mark.parametrize("server", ["github", "gitlab", "bitbucket", "bitbucket-server"], indirect=True)
async def test_a_listing_that_would_fill_the_memory_is_not_read_to_its_end(server, forge, monkeypatch):
    monkeypatch.setattr("updater.forge.api.MOST_LISTED", 500_000)
    server.faults += [("GET", listed(server, [{}] * 2000)) for _ in range(5)]
    assert await forge.find("updater/main", "main") == ()
    assert len(server.faults) == 3


async def test_what_is_of_no_repository_is_not_ours(server, forge):
    server.faults.append(("GET", listed(server, [{"x": 1}, None, 7, []])))
    if server.kind == "azure":
        assert (await refused(forge)).code == "forge-protocol"
    else:
        assert await forge.find("updater/main", "main") == ()


async def test_a_pull_request_without_number_is_no_answer(server, forge):
    server.faults.append(("GET", web.json_response({"state": "open"})))
    assert (await refused(forge, forge.get(1))).code == "forge-protocol"


@pytest.mark.parametrize(
    "change",
    [
        {"number": True},
        {"number": -1},
        {"number": 10**30},
        {"number": "1"},
        {"number": 2},
        {"state": []},
        {"state": {"open": 1}},
        {"state": "draft"},
        {"state": None},
    ],
)
async def test_a_pull_request_of_wrong_types_or_another_one_than_was_asked_for_is_no_answer(server, forge, change):
    item = server.dialect.json(FakePull(1, "t", "b", "updater/main", "main"))
    named = {server.dialect.words[name]: value for name, value in change.items()}
    server.faults.append(("GET", web.Response(body=json.dumps({**item, **named}), content_type="application/json")))
    assert (await refused(forge, forge.get(1))).code == "forge-protocol"


@pytest.mark.parametrize("side", [None, [], "x", {}, {"repo": "x", "ref": {}, "sha": []}, {"repo": None, "label": 7}])
async def test_sides_of_wrong_types_make_no_pull_request_ours(server, forge, side):
    item = server.dialect.json(FakePull(1, "t", "b", "updater/main", "main"))
    server.faults.append(("GET", listed(server, [{**item, server.dialect.words["source"]: side, "body": ["x"]}])))
    assert await forge.find("updater/main", "main") == ()


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff\xfe", b"null", b"", b'"text"', b"NaN", b"[[[[]]]]"])
async def test_an_answer_that_is_no_pull_request_is_said(server, forge, body):
    server.faults.append(("GET", web.Response(body=body)))
    assert (await refused(forge, forge.get(1))).code == "forge-protocol"


@pytest.mark.parametrize("method", ["get", "open", "update", "close"])
async def test_a_redirect_to_another_host_never_gets_the_token(server, forge, method):
    seen = []

    async def elsewhere(request):
        seen.append(dict(request.headers))
        return web.Response(body=b"<html>sign in</html>")

    runner = web.AppRunner(application := web.Application(), access_log=None)
    application.router.add_route("*", "/{path:.*}", elsewhere)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        await forge.open(TEXT, branch="updater/main", base="main")
        target = f"http://localhost:{runner.addresses[0][1]}/login"
        kind = {"get": "GET", "open": "POST"}.get(method, server.dialect.change)
        server.faults.append((kind, web.Response(status=307, headers={"Location": target})))
        calls = {"get": lambda: forge.get(1), "open": lambda: forge.open(TEXT, branch="main", base="updater/main")}
        call = calls.get(method) or (lambda: getattr(forge, method)(1, TEXT))
        assert (await refused(forge, call())).code == "forge-protocol"
    finally:
        await runner.cleanup()
    assert all(TOKEN not in str(headers) for headers in seen)


@pytest.mark.parametrize("shown", [TOKEN, TOKEN.upper(), TOKEN.replace("-", "%2D")])
async def test_a_token_that_is_repeated_in_a_link_is_masked(server, forge, shown):
    item = server.dialect.json(FakePull(1, "t", "b", "updater/main", "main"))
    page = linked(server, f"https://x:{shown}@forge.example.org/1")
    server.faults.append(("GET", web.json_response({**item, server.dialect.words["link"]: page})))
    assert shown not in (await forge.get(1)).link


@pytest.mark.parametrize("server", ["github", "gitlab"], indirect=True)
async def test_what_is_kept_for_the_next_question_is_bounded_by_its_size(server, forge):
    noise = base64.b64encode(os.urandom(3 * 2**18)).decode()
    item = server.dialect.json(FakePull(1, "t", noise, "updater/main", "main"))
    for number in range(1, 5):
        named = {**item, server.dialect.words["number"]: number}
        server.faults.append(("GET", web.json_response(named, headers={"ETag": f'"{number}"'})))
        await forge.get(number)
    assert 0 < forge._api._kept.size <= 2**20
    server.faults.append(("GET", web.Response(status=304)))
    assert (await forge.get(4)).body == noise


async def test_a_refusal_that_lasts_says_the_same_each_time(server, forge, time):
    server.fail("GET", 429, "slow down", Retry_After="86400")
    await refused(forge)
    first = await refused(forge)
    time.now += 100
    second = await refused(forge)
    assert (first.message, first.code) == (second.message, "forge-rate-limited")


async def test_a_503_that_asks_for_a_long_wait_is_not_waited_for(server, forge, time):
    for _ in range(2):
        server.fail("GET", 503, "maintenance", Retry_After="86400")
    assert (await refused(forge)).code == "forge-unavailable"
    before, asked = time.now, len(server.asked)
    assert (await refused(forge)).code == "forge-rate-limited"
    assert (time.now, len(server.asked)) == (before, asked)


async def test_a_huge_answer_is_not_read(server, forge):
    server.faults.append(("GET", web.Response(body=b"[" + b" " * 9 * 2**20 + b"]")))
    assert (await refused(forge)).code == "forge-protocol"


async def test_a_link_that_is_no_url_is_not_repeated(server, forge):
    item = server.dialect.json(FakePull(1, "t", "b", "updater/main", "main"))
    server.faults.append(
        ("GET", web.json_response({**item, server.dialect.words["link"]: linked(server, "javascript:alert(1)\n")}))
    )
    assert "javascript" not in (await forge.get(1)).link


async def test_a_forge_that_is_too_slow_is_unavailable_and_nothing_is_sent_twice(server, forge):
    async def reach():
        return ForgeAccess(token=TOKEN, connection=Connection())

    made = await forge.open(TEXT, branch="updater/main", base="main")
    async with HttpClient(patience=Patience(attempts=2, total_timeout=1.0, first=0.01)) as http:
        impatient = DIALECTS[forge.repository.kind](forge.repository, http, reach)
        server.faults.append(("POST", 30.0))
        assert (await refused(impatient, impatient.comment(made.number, "a word"))).code == "forge-unavailable"
    assert len([line for line in server.asked if line.endswith(("comments", "notes", "threads"))]) <= 1


async def test_a_forge_that_is_down_is_unavailable(forge, server):
    await server.__aexit__()
    assert (await refused(forge)).code == "forge-unavailable"
