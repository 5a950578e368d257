"""The API of Azure DevOps, by learn.microsoft.com/rest/api/azure/devops: pull requests, threads, labels, reviewers, policies."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, ClassVar

from aiohttp import web

from tests.fakes.forge import TOKEN, FakePull, not_found

if TYPE_CHECKING:
    from tests.fakes.forge import FakeForge

_NOBODY = "00000000-0000-0000-0000-000000000000"
_STATUSES = {"passed": "approved", "failed": "rejected", "pending": "running", "none": "queued"}
_STATES = {"passed": "succeeded", "failed": "failed", "pending": "pending"}
_VOTES = {"approved": 10, "refused": -10}
BUILD = "0609b952-1397-4640-95ec-e00a01b2c241"
REVIEWERS = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"


def identity(name: str) -> str:
    return f"11111111-1111-1111-1111-{name.encode().hex().zfill(12)}"


class FakeAzure:
    """Azure DevOps: votes, policies, texts cut in a listing."""

    has_etags = False
    words: ClassVar = {"number": "pullRequestId", "state": "status", "link": "url", "source": "sourceRefName"}
    change = "PATCH"
    listed = "value"
    root = "/api"

    def __init__(self, forge: FakeForge) -> None:
        self.forge = forge
        self.prefix = "/api/o/_apis/git/repositories/fleet/"
        self.votes: dict[str, int] = {}

    def is_allowed(self, request) -> bool:
        pair = base64.b64encode(f":{TOKEN}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {pair}"

    def answer(self, request, path, data) -> web.Response:
        assert request.query["api-version"].startswith("7.")
        if path == "pullrequests":
            return self._opened(data) if request.method == "POST" else self._listed(request)
        found = re.fullmatch(r"pull[rR]equests/([0-9]+)(?:/([a-z]+))?(?:/(.+))?", path)
        if not found:
            return self._other(request, path)
        if int(found[1]) > len(self.forge.pulls):
            return not_found("TF401180: The requested pull request was not found.")
        pull = self.forge.pull(int(found[1]))
        return getattr(self, f"_{found[2] or 'one'}")(request, pull, {**data, "place": found[3]})

    def _opened(self, data):
        branches = (data[side].removeprefix("refs/heads/") for side in ("sourceRefName", "targetRefName"))
        pull = FakePull(0, data["title"], data["description"], *branches, draft=data["isDraft"])
        known = {identity(name): name for name in self.forge.users}
        if any(item["id"] not in known for item in data.get("reviewers", [])):
            return web.json_response({"message": "TF401181: not valid"}, status=400)
        pull.reviewers = [known[item["id"]] for item in data.get("reviewers", [])]
        pull.labels = [item["name"] for item in data.get("labels", [])]
        if self.forge.open(pull) is None:
            words = "TF401179: An active pull request for the source and target branch already exists."
            return web.json_response({"message": words, "typeKey": "GitPullRequestExistsException"}, status=409)
        return web.json_response(self.json(pull), status=201)

    def _listed(self, request):
        query = request.query
        found = self.forge.listed({"open", "closed"} if query["searchCriteria.status"] == "all" else {"open"})
        if "searchCriteria.sourceRefName" in query:
            wanted = query["searchCriteria.sourceRefName"], query["searchCriteria.targetRefName"]
            found = [pull for pull in found if (f"refs/heads/{pull.branch}", f"refs/heads/{pull.base}") == wanted]
        size, start = int(query["$top"]), int(query["$skip"])
        items = [self.json(pull) for pull in found[start : start + size]]
        cut = [{**item, "description": item["description"][:400]} for item in items]
        return web.json_response({"value": cut, "count": len(cut)})

    def _one(self, request, pull, data):
        if request.method != "PATCH":
            return web.json_response(self.json(pull))
        if data.get("status") == "completed":
            if data["lastMergeSourceCommit"]["commitId"] != pull.head:
                return web.json_response({"message": "TF401192: The source has been modified since the last merge."}, status=409)
            if not self.forge.is_ready(pull):
                return web.json_response({"message": "TF402455: Pushes are not permitted; policies are not met."}, status=403)
            self.forge.merge(pull.number)
        elif data.get("status") == "abandoned":
            assert "title" not in data
            self.forge.close(pull.number)
        elif "autoCompleteSetBy" in data:
            pull.auto_merge = data["autoCompleteSetBy"]["id"] != _NOBODY
        else:
            assert len(data["description"]) <= 4000
            pull.title, pull.body = data["title"], data["description"]
            self.forge.touch(pull)
        return web.json_response(self.json(pull))

    def _threads(self, _request, pull, data):
        assert data["status"] == "closed"
        pull.comments += [item["content"] for item in data["comments"]]
        return web.json_response({}, status=200)

    def _labels(self, _request, pull, data):
        pull.labels += [data["name"]] if data["name"] not in pull.labels else []
        return web.json_response({"name": data["name"], "active": True})

    def _reviewers(self, _request, pull, data):
        name = next((name for name in self.forge.users if identity(name) == data["place"]), None)
        if name is None:
            return web.json_response({"message": "TF401181: not valid"}, status=400)
        pull.reviewers.append(name)
        return web.json_response({"id": data["place"], "vote": data["vote"]})

    def _statuses(self, _request, pull, _data):
        state = _STATES.get(self.forge.standing(pull))
        context = {"genre": "ci", "name": "build"}
        older = [{"state": "pending", "context": context}] if state else []
        return web.json_response({"value": [*older, *([{"state": state, "context": context}] if state else [])]})

    def _other(self, request, path):
        if path == "/api/o/_apis/policy/evaluations":
            number = int(request.query["artifactId"].rpartition("/")[2])
            return web.json_response({"value": self._policies(self.forge.pull(number))})
        if path == "/api/_apis/connectionData":
            return web.json_response({"authenticatedUser": {"id": identity("bot")}})
        if path == "/api/_apis/identities":
            found = [name for name in self.forge.users if name == request.query["filterValue"]]
            return web.json_response({"value": [{"id": identity(name), "providerDisplayName": name} for name in found]})
        return not_found()

    def _policies(self, pull):
        rules, made = self.forge.rules, []
        if rules.checks:
            made.append((BUILD, _STATUSES[self.forge.standing(pull)]))
        if rules.approvals:
            made.append((REVIEWERS, "approved" if self.forge.approved(pull) == "enough" else "queued"))
        return [
            {"status": status, "configuration": {"isBlocking": True, "isEnabled": True, "type": {"id": kind}}}
            for kind, status in made
        ]

    def json(self, pull: FakePull) -> dict:
        named = dict.fromkeys([*pull.reviewers, *pull.opinions])
        state = "completed" if pull.merged else {"open": "active"}.get(pull.state, "abandoned")
        fork = {False: {}, True: {"forkSource": {"repository": {"id": "8"}}}, "deleted": {"forkSource": None}}[pull.fork]
        return {
            "pullRequestId": pull.number,
            "status": state,
            "title": pull.title,
            "description": pull.body,
            "isDraft": pull.draft,
            "sourceRefName": f"refs/heads/{pull.branch}",
            "targetRefName": f"refs/heads/{pull.base}",
            "lastMergeSourceCommit": {"commitId": pull.head},
            "mergeStatus": "conflicts" if pull.conflicts else "succeeded",
            "labels": [{"name": name, "active": True} for name in pull.labels],
            "reviewers": [{"id": identity(name), "vote": _VOTES.get(pull.opinions.get(name), 0)} for name in named],
            "repository": {"id": "7", "project": {"id": "70"}, "webUrl": "http://forge.example.org/o/fleet"},
            **({"autoCompleteSetBy": {"id": identity("bot")}} if pull.auto_merge else {}),
            **fork,
        }
