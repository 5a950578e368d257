"""What one forge does otherwise than the others, each by itself."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from tests.fakes.forge import TOKEN, FakePull
from updater.errors import ForgeError
from updater.forge.base import ApprovalState, CheckState, ForgeAccess, ProposalState, ProposalText, ProposalWishes
from updater.forge.showing import bearer, gitea_token, personal_or_bearer, user_or_bearer
from updater.http.exchange import Connection

BRANCH = "updater/main"
TEXT = ProposalText(title="Update app", body="<!-- marker -->\ntext")
only = {
    kind: pytest.mark.parametrize("server", [kind], indirect=True)
    for kind in ("github", "gitea", "gitlab", "bitbucket", "bitbucket-server", "azure")
}


async def opened(forge):
    return await forge.open(TEXT, branch=BRANCH, base="main")


async def refused(call):
    with pytest.raises(ForgeError) as caught:
        await call
    return caught.value.code


def answered(content, status=200):
    return web.Response(body=json.dumps(content), content_type="application/json", status=status)


def shown(**named):
    return ForgeAccess(**{"token": "t0ken", "connection": Connection(), **named})


@pytest.mark.parametrize(
    ("form", "access", "header"),
    [
        (bearer, shown(username="x"), "Bearer t0ken"),
        (gitea_token, shown(), "token t0ken"),
        (gitea_token, shown(is_bearer=True), "Bearer t0ken"),
        (user_or_bearer, shown(), "Bearer t0ken"),
        (user_or_bearer, shown(username="x-token-auth"), "Bearer t0ken"),
        (user_or_bearer, shown(username="anna"), "Basic YW5uYTp0MGtlbg=="),
        (user_or_bearer, shown(username="anna", is_bearer=True), "Bearer t0ken"),
        (personal_or_bearer, shown(username="anything"), "Basic OnQwa2Vu"),
        (personal_or_bearer, shown(is_bearer=True), "Bearer t0ken"),
        (personal_or_bearer, shown(token="eyJh.eyJi.c-_"), "Bearer eyJh.eyJi.c-_"),
    ],
)
def test_a_token_is_shown_as_its_forge_reads_it(form, access, header):
    assert form(access) == header


async def test_a_title_and_a_text_are_cut_to_what_the_forge_takes_and_keep_their_first_line(server, forge):
    long = ProposalText(title="t" * 1000, body="<!-- marker -->\n" + "b" * 2_000_000)
    await forge.open(long, branch=BRANCH, base="main")
    pull = server.pulls[0]
    assert pull.title.startswith("ttt")
    assert len(pull.title) <= forge.abilities.longest_title
    assert pull.body.startswith("<!-- marker -->\n")
    assert len(pull.body) == forge.abilities.longest_body
    huge = ProposalText(title="t", body="m" * 2_000_000)
    assert await refused(forge.update(1, huge)) == "proposal-large"


@only["github"]
async def test_github_says_in_words_that_it_does_not_merge_by_itself(server, forge):
    made = await opened(forge)
    server.rules.checks = True
    server.rules.auto_merge = False
    assert await forge.enable_auto_merge(made) is False
    server.rules.auto_merge = True
    server.check(BRANCH, "passed")
    assert await forge.enable_auto_merge(made) is False  # it is in clean status: there is nothing to wait for


@only["github"]
@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([{"type": "FORBIDDEN", "message": "Resource not accessible by personal access token"}], "forge-denied"),
        ([{"type": "NOT_FOUND", "message": "Could not resolve to a Repository"}], "forge-not-found"),
        ([{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}], "forge-rate-limited"),
        ([{"message": f"your {TOKEN} is odd"}], "forge-protocol"),
        ("text", "forge-protocol"),
    ],
)
async def test_github_refuses_in_graphql_with_status_200_and_that_is_no_permission_to_merge(server, forge, errors, code):
    made = await opened(forge)
    facts = {"repository": {"pullRequest": None}}
    server.faults.append(("POST", answered({"data": facts, "errors": errors})))
    with pytest.raises(ForgeError) as caught:
        await forge.readiness(made)
    assert caught.value.code == code
    assert TOKEN not in caught.value.message


@only["github"]
async def test_github_that_leaves_out_the_checks_does_not_make_a_pull_request_ready(server, forge):
    made = await opened(forge)
    pull = {"id": "PR_1", "number": 1, "headRefOid": made.head}
    server.faults.append(("POST", answered({"data": {"repository": {"pullRequest": pull}}})))
    ready = await forge.readiness(made)
    assert (ready.checks, ready.is_mergeable, ready.is_ready) == (CheckState.PENDING, None, False)


@only["github"]
async def test_github_without_drafts_says_so_instead_of_opening_what_may_be_merged(server, forge):
    words = "Draft pull requests are not supported in this repository."
    server.faults.append(("POST", answered({"message": "Validation Failed", "errors": [{"message": words}]}, status=422)))
    assert await refused(forge.open(TEXT, branch=BRANCH, base="main", wishes=ProposalWishes(is_draft=True))) == "forge-lacks"
    assert server.pulls == []


@only["github"]
async def test_github_merges_by_a_method_that_the_repository_allows(server, forge):
    made = await opened(forge)
    server.rules.methods = ("squash",)
    await forge.merge(made)
    assert "squashed" in server.repository.git("log", "-1", "--format=%s", "main")


@only["gitea"]
async def test_gitea_without_rules_would_merge_at_once_and_is_not_asked_to(server, forge):
    made = await opened(forge)
    assert await forge.enable_auto_merge(made) is False
    assert server.pulls[0].state == "open"


@only["gitea"]
async def test_gitea_counts_the_last_opinion_of_each_person_that_was_not_dismissed(server, forge):
    made = await opened(forge)
    server.rules.approvals = 1

    def review(number, name, state, **more):
        return {"id": number, "user": {"login": name}, "state": state, "official": True, "dismissed": False, **more}

    for reviews, expected in [
        ([review(1, "a", "REQUEST_CHANGES"), review(2, "a", "APPROVED")], ApprovalState.ENOUGH),
        ([review(2, "a", "REQUEST_CHANGES"), review(1, "a", "APPROVED")], ApprovalState.REFUSED),
        ([review(1, "a", "REQUEST_CHANGES", dismissed=True)], ApprovalState.MISSING),
        ([review(1, "a", "APPROVED", official=False)], ApprovalState.MISSING),
        ([review(1, "a", "APPROVED"), review(2, "a", "COMMENT")], ApprovalState.ENOUGH),
        ([None, 7, {"user": [], "state": {}}], ApprovalState.MISSING),
    ]:
        server.dialect._reviews = lambda _request, _pull, _data, reviews=reviews: answered(reviews)
        assert (await forge.readiness(made)).approvals is expected


@only["gitlab"]
async def test_gitlab_that_runs_no_pipeline_would_merge_at_once_and_is_not_asked_to(server, forge):
    made = await opened(forge)
    assert await forge.enable_auto_merge(made) is False
    assert server.pulls[0].state == "open"


@only["gitlab"]
@pytest.mark.parametrize(
    ("change", "checks", "is_mergeable"),
    [
        ({"detailed_merge_status": "ci_must_pass"}, CheckState.PENDING, False),
        ({"detailed_merge_status": "checking"}, CheckState.NONE, None),
        ({"detailed_merge_status": "a word of tomorrow"}, CheckState.NONE, False),
        ({"detailed_merge_status": None, "merge_status": "can_be_merged"}, CheckState.NONE, True),
        ({"detailed_merge_status": None, "merge_status": "cannot_be_merged"}, CheckState.NONE, False),
        ({"head_pipeline": {"sha": "another", "status": "success", "ref": "x"}}, CheckState.PENDING, True),
        (
            {"head_pipeline": {"sha": "merged", "status": "success", "ref": "refs/merge-requests/1/merge"}},
            CheckState.PASSED,
            True,
        ),
        ({"head_pipeline": {"sha": "HEAD", "status": "manual", "ref": "x"}}, CheckState.PENDING, True),
        ({"head_pipeline": {"sha": "HEAD", "status": "canceled", "ref": "x"}}, CheckState.FAILED, True),
    ],
)
async def test_gitlab_says_by_one_word_why_not_and_by_its_pipeline_how_far(server, forge, change, checks, is_mergeable):
    made = await opened(forge)
    told = server.dialect.json
    text = json.dumps(change).replace("HEAD", made.head)
    server.dialect.json = lambda pull: {**told(pull), **json.loads(text)}
    ready = await forge.readiness(made)
    assert (ready.checks, ready.is_mergeable) == (checks, is_mergeable)


@only["gitlab"]
async def test_gitlab_of_the_free_edition_has_no_approvals_to_miss(server, forge):
    made = await opened(forge)
    server.dialect._approvals = lambda *_: web.json_response({"message": "404 Not Found"}, status=404)
    assert (await forge.readiness(made)).approvals is ApprovalState.ENOUGH


@only["gitlab"]
async def test_gitlab_that_keeps_one_reviewer_of_two_is_said(server, forge):
    await opened(forge)
    server.dialect._one = lambda _request, pull, _data: answered(
        {**server.dialect.json(pull), "reviewers": [{"id": 1, "username": "anna"}]}
    )
    assert await refused(forge.request_review(1, ["anna", "bert"])) == "forge-user"


@only["gitlab"]
@pytest.mark.parametrize("users", [[], {}, [{"id": "1", "username": "anna"}], [{"id": 5, "username": "somebody else"}], [None]])
async def test_gitlab_that_answers_with_another_user_assigns_nobody(server, forge, users):
    await opened(forge)
    answer = server.dialect.answer
    server.dialect.answer = lambda request, path, data: (
        answered(users) if path.endswith("/users") else answer(request, path, data)
    )
    assert await refused(forge.assign(1, ["anna"])) == "forge-user"
    assert server.pulls[0].assignees == []


@only["bitbucket"]
async def test_bitbucket_names_a_head_by_twelve_digits_and_its_whole_name_is_asked_for_once(server, forge):
    made = await opened(forge)
    assert len(made.head) == 40
    before = len(server.asked)
    assert (await forge.get(1)).head == made.head
    assert len(server.asked) == before + 1


@only["bitbucket"]
async def test_bitbucket_tells_all_heads_of_a_listing_by_one_more_request(server, forge):
    for number in range(20):
        server.repository.commit({"b": str(number).encode()}, branch=f"updater/{number}")
        server.open(FakePull(0, "t", "b", f"updater/{number}", "main"))
    server.asked.clear()
    assert {len(item.head) for item in await forge.list_open()} == {40}
    assert len(server.asked) == 2
    await forge.list_open()
    assert len(server.asked) == 3


@only["bitbucket"]
async def test_bitbucket_that_names_another_commit_is_odd(server, forge):
    made = await opened(forge)
    forge._heads.clear()
    answer = server.dialect.answer
    server.dialect.answer = lambda request, path, data: (
        answered({"hash": "f" * 40}) if path.startswith("commit/") else answer(request, path, data)
    )
    assert made.head[:12] != "f" * 12
    assert await refused(forge.get(1)) == "forge-protocol"


@only["bitbucket"]
async def test_bitbucket_gets_the_default_reviewers_that_its_page_would_add(server, forge):
    server.dialect.default_reviewers = ["anna"]
    await opened(forge)
    assert server.pulls[0].reviewers == ["anna"]


@only["bitbucket"]
async def test_bitbucket_refuses_the_author_as_reviewer_and_gets_none_then(server, forge):
    server.dialect.default_reviewers = ["anna", "bot"]
    await opened(forge)
    assert server.pulls[0].reviewers == []


@only["bitbucket"]
async def test_bitbucket_keeps_reviewers_and_draft_when_the_text_changes(server, forge):
    await forge.open(TEXT, branch=BRANCH, base="main", wishes=ProposalWishes(is_draft=True))
    server.pulls[0].reviewers = ["anna"]
    await forge.update(1, ProposalText(title="New", body="b"))
    assert (server.pulls[0].reviewers, server.pulls[0].draft) == (["anna"], True)


@only["bitbucket"]
async def test_bitbucket_is_asked_for_branches_with_quotes_in_their_names(server, forge):
    asked = []
    answer = server.dialect.answer

    def noted(request, path, data):
        asked.append(request.query.get("q"))
        return web.json_response({"values": []}) if path == "pullrequests" else answer(request, path, data)

    server.dialect.answer = noted
    assert await forge.find('a" OR state="OPEN', "main") == ()
    assert asked == [r'source.branch.name="a\" OR state=\"OPEN" AND destination.branch.name="main"']


@only["bitbucket-server"]
async def test_data_center_decides_again_on_a_version_that_somebody_changed_meanwhile(server, forge):
    await opened(forge)
    told, done = server.dialect.json, []

    def changed_after(pull):
        item = told(pull)
        if not done:
            done.append(server.touch(pull))
        return item

    server.dialect.json = changed_after
    assert (await forge.update(1, ProposalText(title="New", body="b"))).title == "New"


@only["bitbucket-server"]
async def test_data_center_does_not_merge_a_version_that_somebody_changed_meanwhile(server, forge):
    made = await opened(forge)
    told = server.dialect.json

    def changed_after(pull):
        item = told(pull)
        server.touch(pull)
        return item

    server.dialect.json = changed_after
    assert await refused(forge.merge(made)) == "proposal-moved"
    assert server.pulls[0].state == "open"


@only["bitbucket-server"]
async def test_data_center_keeps_reviewers_when_the_text_changes(server, forge):
    await opened(forge)
    server.pulls[0].reviewers = ["anna"]
    await forge.update(1, ProposalText(title="New", body="b"))
    await forge.close(1, TEXT)
    assert server.pulls[0].reviewers == ["anna"]


@only["azure"]
async def test_azure_cuts_texts_in_a_listing_and_they_are_whole_where_one_is_asked_for(server, forge):
    long = ProposalText(title="t", body="<!-- marker -->\n" + "b" * 3000)
    await forge.open(long, branch=BRANCH, base="main")
    assert len((await forge.list_open())[0].body) == 400
    assert (await forge.find(BRANCH, "main"))[0].body == long.body
    assert (await forge.get(1)).body == long.body


@only["azure"]
@pytest.mark.parametrize("status", [203, 302])
async def test_azure_asks_to_sign_in_by_a_page_and_that_is_a_refused_token(server, forge, status):
    headers = {"Location": server.api + "/_signin"} if status == 302 else {}
    server.faults.append(("GET", web.Response(body=b"<html>Sign In</html>", status=status, headers=headers)))
    if status == 302:
        server.faults.append(("GET", web.Response(body=b"<html>Sign In</html>", status=203)))
    assert await refused(forge.get(1)) == "forge-denied"


@only["azure"]
async def test_azure_keeps_the_vote_of_who_is_asked_again(server, forge):
    await opened(forge)
    server.pulls[0].opinions["anna"] = "approved"
    server.asked.clear()
    await forge.request_review(1, ["anna"])
    assert [line for line in server.asked if line.startswith("PUT")] == []


@only["azure"]
async def test_azure_without_policies_would_complete_at_once_and_is_not_asked_to(server, forge):
    made = await opened(forge)
    assert await forge.enable_auto_merge(made) is False
    assert server.pulls[0].state == "open"


@only["azure"]
async def test_azure_that_completes_in_the_background_is_asked_once_more(server, forge):
    made = await opened(forge)
    told, seen = server.dialect.json, []

    def late(pull):
        seen.append(pull.number)
        return {**told(pull), **({"status": "active"} if len(seen) == 1 else {})}

    server.dialect.json = late
    assert (await forge.merge(made)).state is ProposalState.MERGED


@only["azure"]
async def test_azure_tells_the_last_status_of_each_check(server, forge):
    made = await opened(forge)
    server.check(BRANCH, "passed")
    assert (await forge.readiness(made)).checks is CheckState.PASSED


@only["azure"]
@pytest.mark.parametrize("found", [[], [{"id": "a"}, {"id": "b"}], [{"id": 7}], [None]])
async def test_azure_that_knows_no_user_or_several_asks_none_for_a_review(server, forge, found):
    await opened(forge)
    answer = server.dialect.answer
    server.dialect.answer = lambda request, path, data: (
        answered({"value": found}) if path.endswith("/identities") else answer(request, path, data)
    )
    assert await refused(forge.request_review(1, ["anna"])) == "forge-user"
