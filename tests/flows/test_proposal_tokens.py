"""Bad tokens and rules in the life of a pull request, on each forge: told with what is missing, and mended by the next pass."""

from __future__ import annotations

import json

import pytest

from tests.fakes.forge import TOKEN
from tests.flows.fleet import Status
from tests.flows.test_proposals import BRANCH, proposing
from updater.cli.report import outcome_json

KINDS = ["github", "gitlab", "gitea", "bitbucket", "bitbucket-server", "azure"]
#: how each forge says that a token lacks a right: body and headers, and the right as the forge, or its documents, name it
LACKING = {
    "github": (
        {"message": "Resource not accessible by personal access token"},
        {"X-Accepted-GitHub-Permissions": "pull_requests=write"},
        "pull_requests=write",
    ),
    "gitlab": (
        {"error": "insufficient_scope", "error_description": "The request requires higher privileges.", "scope": "api"},
        {},
        "it asks for api",
    ),
    "gitea": ({"message": "token does not have at least one of required scope(s): [write:issue]"}, {}, "[write:issue]"),
    "bitbucket": (
        {"type": "error", "error": {"message": "missing scopes", "detail": {"required": ["pullrequest:write"], "granted": []}}},
        {},
        "pullrequest:write",
    ),
    "bitbucket-server": ({"errors": [{"message": "You are not permitted to access this resource"}]}, {}, "Repository write"),
    "azure": ({"message": "TF401027: You need the Git 'PullRequestContribute' permission"}, {}, "PullRequestContribute"),
}
CHANGES = ("POST", "PATCH", "PUT")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=["kept", "lost"])
async def life(request, tmp_path, kind):
    async with proposing(tmp_path, kind, request.param) as made:
        made.push("1.1.0")
        yield made


def show(life, token):
    """Let the program read *token* from now on."""
    (life.fleet.folder / "token").write_text(token)


def expire(life):
    """Let the token expire at the forge, which takes another one from now on: return that."""
    fresh, allowed = f"{TOKEN}-renewed", life.forge.dialect.is_allowed
    token = life.fleet.folder / "token"
    life.forge.dialect.is_allowed = lambda request: token.read_text() == fresh and not allowed(request)
    return fresh


async def test_a_token_that_may_only_read_is_told_with_the_right_that_it_lacks_and_a_better_one_mends(life, kind):
    body, headers, right = LACKING[kind]
    life.forge.refuses = dict.fromkeys(CHANGES, (403, body, headers))
    for _ in range(2):
        end = await life.land()
        assert (end.status, end.code, end.link) == (Status.FAILED, "forge-denied", None), end
        assert right in f"{end.detail} {end.hint}"
        assert "fleet answered 403" in end.detail
        assert "write pull requests" in end.hint
    assert life.forge.pulls == []
    life.forge.refuses = {}
    end = await life.land()
    assert (end.status, life.written(), len(life.forge.opened())) == (Status.PROPOSED, "1.1.0", 1)


async def test_a_token_that_expires_in_the_life_of_a_pull_request_changes_nothing_and_a_new_one_goes_on(life):
    assert (await life.land()).status is Status.PROPOSED
    fresh, head = expire(life), life.head()
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, end.code) == (Status.FAILED, "forge-denied")
    assert "expired or was revoked" in end.hint
    assert TOKEN not in json.dumps(outcome_json(end))
    assert (life.head(), life.forge.opened()[0].title.count("1.2.0")) == (head, 0)
    show(life, fresh)
    end = await life.land()
    assert (end.status, life.written(), len(life.forge.pulls)) == (Status.PROPOSED, "1.2.0", 1)
    assert "1.2.0" in life.forge.pulls[0].title


async def test_a_token_that_expires_between_push_and_update_leaves_a_branch_that_the_next_pass_tells(life, kind):
    await life.land()
    body, headers, _ = LACKING[kind]
    life.push("1.2.0")
    life.forge.refuses = dict.fromkeys(CHANGES, (403, body, headers))
    end = await life.land()
    assert (end.status, end.code, life.written()) == (Status.FAILED, "forge-denied", "1.2.0")
    head = life.head()
    life.forge.refuses = {}
    end = await life.land()
    assert (end.status, life.head(), len(life.forge.pulls)) == (Status.PROPOSED, head, 1)
    assert "1.2.0" in life.forge.pulls[0].title


async def test_a_token_that_sees_nothing_is_told_as_a_repository_that_may_be_hidden(life):
    await life.land()
    life.forge.refuses = {method: (404, {"message": "Not Found"}, {}) for method in ("GET", *CHANGES)}
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, end.code) == (Status.FAILED, "forge-not-found")
    assert "may not read the repository" in end.hint
    life.forge.refuses = {}
    assert (await life.land()).status is Status.PROPOSED
    assert (life.written(), len(life.forge.pulls)) == ("1.2.0", 1)


async def test_a_protected_push_branch_is_told_by_the_words_of_the_server_and_the_pull_request_stays(life):
    await life.land()
    life.fleet.repository.decline_pushes("protected branch hook declined")
    life.push("1.2.0")
    head = life.head()
    end = await life.land()
    assert (end.status, end.code) == (Status.FAILED, "push-declined")
    assert "protected branch" in end.detail
    assert (life.head(), len(life.forge.opened()), "1.2.0" in life.forge.pulls[0].title) == (head, 1, False)
    (life.fleet.repository.path / "hooks" / "pre-receive").unlink()
    assert (await life.land()).status is Status.PROPOSED
    assert (life.written(), len(life.forge.pulls)) == ("1.2.0", 1)


async def test_a_branch_that_a_person_deletes_between_look_and_push_is_looked_at_again(life):
    await life.land()
    life.push("1.2.0")
    handle, done = life.forge.dialect.answer, []

    def deleted_first(request, path, data):
        if not done:
            done.append(life.fleet.repository.git("update-ref", "-d", f"refs/heads/{BRANCH}"))
        return handle(request, path, data)

    life.forge.dialect.answer = deleted_first
    await life.land()
    end = await life.land()
    assert (end.status, life.written(), len(life.forge.opened())) == (Status.PROPOSED, "1.2.0", 1), end


async def test_a_pull_request_that_a_person_closes_between_push_and_update_gets_no_other_values(life):
    await life.land()
    life.push("1.2.0")
    handle, done = life.forge.dialect.answer, []

    def closed_first(request, path, data):
        if life.written() == "1.2.0" and not done:
            done.append(life.forge.close(1))
        return handle(request, path, data)

    life.forge.dialect.answer = closed_first
    await life.land()
    end = await life.land()
    assert done
    assert (end.status, len(life.forge.opened()), life.forge.pulls[0].state) == (Status.PROPOSED, 1, "closed"), end
    assert "1.2.0" not in life.forge.pulls[0].title
