"""The APIs of Bitbucket Cloud and Data Center, by developer.atlassian.com/cloud/bitbucket/rest and /server/bitbucket/rest."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, ClassVar

from aiohttp import web

from tests.fakes.forge import TOKEN, FakePull, not_found

if TYPE_CHECKING:
    from tests.fakes.forge import FakeForge

_CLOUD = {"passed": "SUCCESSFUL", "failed": "FAILED", "pending": "INPROGRESS"}


class _Bitbucket:
    """What both share: how a token is shown, and the word for closed."""

    has_etags = False
    words: ClassVar = {"number": "id", "state": "state", "link": "links", "source": "source"}
    change = "PUT"
    listed = "values"
    root = "/api"

    def __init__(self, forge: FakeForge) -> None:
        self.forge = forge

    def is_allowed(self, request) -> bool:
        pair = base64.b64encode(f"anna:{TOKEN}".encode()).decode()
        return request.headers.get("Authorization") in {f"Bearer {TOKEN}", f"Basic {pair}"}

    def state(self, pull):
        return "MERGED" if pull.merged else {"open": "OPEN"}.get(pull.state, "DECLINED")

    def answer(self, request, path, data) -> web.Response:
        found = re.fullmatch(rf"{self.word}(?:/([0-9]+))?(?:/([a-z-]+))?", path)
        if not found:
            return self._other(request, path)
        if found[1] is None:
            return self._opened(data) if request.method == "POST" else self._listed(request)
        if int(found[1]) > len(self.forge.pulls):
            return not_found()
        return getattr(self, f"_{(found[2] or 'one').replace('-', '_')}")(request, self.forge.pull(int(found[1])), data)

    def _decline(self, _request, pull, _data):
        assert pull.state == "open"
        self.forge.close(pull.number)
        return web.json_response(self.json(pull))


class FakeBitbucket(_Bitbucket):
    """Bitbucket Cloud: heads of twelve digits, reviewers that get lost, no labels."""

    word = "pullrequests"

    def __init__(self, forge: FakeForge) -> None:
        super().__init__(forge)
        self.prefix = f"/api/repositories/{forge.path}/"
        self.default_reviewers: list[str] = []

    def _opened(self, data):
        reviewers = [item["uuid"].strip("{}") for item in data.get("reviewers", [])]
        if "bot" in reviewers:
            words = "bot is the author and cannot be included as a reviewer."
            return web.json_response({"type": "error", "error": {"message": words}}, status=400)
        branches = data["source"]["branch"]["name"], data["destination"]["branch"]["name"]
        pull = FakePull(0, data["title"], data["description"], *branches, draft=data["draft"], reviewers=reviewers)
        if self.forge.open(pull) is None:
            raise AssertionError("the one that is open would be changed")
        return web.json_response(self.json(pull), status=201)

    def _listed(self, request):
        states = set(request.query.getall("state"))
        found = [pull for pull in self.forge.listed({"open", "closed"}) if self.state(pull) in states]
        if "q" in request.query:
            wanted = re.fullmatch(r'source\.branch\.name="(.*)" AND destination\.branch\.name="(.*)"', request.query["q"])
            found = [pull for pull in found if (pull.branch, pull.base) == wanted.groups()]
        return self._paged(request, [self.json(pull) for pull in found])

    def _paged(self, request, items):
        size, page = int(request.query["pagelen"]), int(request.query["page"])
        assert size <= 50
        return web.json_response({"values": items[size * (page - 1) : size * page], "pagelen": size, "page": page})

    def _one(self, request, pull, data):
        if request.method == "PUT":
            if pull.state != "open":
                return web.json_response({"type": "error", "error": {"message": "This pull request is closed"}}, status=400)
            names = [item["uuid"].strip("{}") for item in data.get("reviewers", [])]
            if any(name not in self.forge.users for name in names):
                return web.json_response({"type": "error", "error": {"message": "Malformed reviewers list"}}, status=400)
            pull.title, pull.body, pull.reviewers = data["title"], data["description"], names
            pull.draft = data.get("draft", False)
            self.forge.touch(pull)
        return web.json_response(self.json(pull))

    def _comments(self, _request, pull, data):
        pull.comments.append(data["content"]["raw"])
        return web.json_response({}, status=201)

    def _diffstat(self, request, pull, _data):
        return self._paged(request, [{"status": "merge conflict" if pull.conflicts else "modified"}])

    def _merge(self, _request, pull, _data):
        if not self.forge.is_ready(pull):
            return web.json_response({"type": "error", "error": {"message": "You can't merge until you resolve it"}}, status=409)
        self.forge.merge(pull.number)
        return web.json_response(self.json(pull))

    def _other(self, request, path):
        if path == "effective-default-reviewers":
            return self._paged(request, [{"user": {"uuid": f"{{{name}}}"}} for name in self.default_reviewers])
        if path == "branch-restrictions":
            rule = {"kind": "require_approvals_to_merge", "pattern": "ma*", "value": self.forge.rules.approvals}
            return self._paged(request, [rule])
        if path == "refs/branches":
            heads = self.forge.repository.git("for-each-ref", "refs/heads", "--format=%(refname:strip=2) %(objectname)")
            named = [line.split(" ") for line in heads.splitlines()]
            return self._paged(request, [{"name": name, "target": {"hash": tip}} for name, tip in named])
        if found := re.fullmatch(r"commit/([0-9a-f]+)/statuses", path):
            state = _CLOUD.get(self.forge.statuses.get(found[1]))
            return self._paged(request, [{"key": "ci", "state": state}] if state else [])
        if found := re.fullmatch(r"commit/([0-9a-f]+)", path):
            return web.json_response({"hash": self.forge.repository.git("rev-parse", found[1]).strip()})
        if path == "/api/workspaces/o/members":
            wanted = re.fullmatch(r'user\.nickname="(.*)"', request.query["q"])[1]
            users = [name for name in self.forge.users if name == wanted]
            return self._paged(request, [{"user": {"uuid": f"{{{name}}}", "nickname": name}} for name in users])
        return not_found()

    def json(self, pull: FakePull) -> dict:
        here = {"type": "repository", "full_name": self.forge.path, "uuid": "{here}"}
        source = {False: here, True: {**here, "uuid": "{there}"}, "deleted": None}[pull.fork]
        opinions = {"approved": (True, "approved"), "refused": (False, "changes_requested")}
        return {
            "id": pull.number,
            "title": pull.title,
            "description": pull.body,
            "state": self.state(pull),
            "draft": pull.draft,
            "links": {"html": {"href": f"http://forge.example.org/{self.forge.path}/pull/{pull.number}"}},
            "source": {"branch": {"name": pull.branch}, "commit": {"hash": pull.head[:12]}, "repository": source},
            "destination": {"branch": {"name": pull.base}, "repository": here},
            "reviewers": [{"uuid": f"{{{name}}}"} for name in pull.reviewers],
            "participants": [
                {"user": {"nickname": name}, "approved": opinions[said][0], "state": opinions[said][1]}
                for name, said in pull.opinions.items()
            ],
        }


class FakeBitbucketServer(_Bitbucket):
    """Bitbucket Data Center: a version with each change, vetoes in words."""

    word = "pull-requests"
    words: ClassVar = {"number": "id", "state": "state", "link": "links", "source": "fromRef"}
    root = "/bb/rest/api/1.0"

    def __init__(self, forge: FakeForge) -> None:
        super().__init__(forge)
        forge.path = "projects/o/repos/fleet"
        self.prefix = f"{self.root}/{forge.path}/"

    def _opened(self, data):
        branches = (data[side]["id"].removeprefix("refs/heads/") for side in ("fromRef", "toRef"))
        pull = FakePull(0, data["title"], data["description"], *branches, draft=data.get("draft", False))
        pull.reviewers = [item["user"]["name"] for item in data.get("reviewers", [])]
        if unknown := [name for name in pull.reviewers if name not in self.forge.users]:
            words = f"{unknown[0]} is not a user"
            error = {"message": words, "exceptionName": "com.atlassian.bitbucket.pull.InvalidPullRequestReviewersException"}
            return web.json_response({"errors": [error]}, status=409)
        if self.forge.open(pull) is None:
            error = {
                "message": "Only one pull request may be open for a given source and target branch",
                "exceptionName": "com.atlassian.bitbucket.pull.DuplicatePullRequestException",
            }
            return web.json_response({"errors": [error]}, status=409)
        return web.json_response(self.json(pull), status=201)

    def _listed(self, request):
        query = request.query
        found = self.forge.listed({"open", "closed"} if query["state"] == "ALL" else {"open"})
        if "at" in query:
            assert query["direction"] == "OUTGOING"
            found = [pull for pull in found if f"refs/heads/{pull.branch}" == query["at"]]
        size, start = int(query["limit"]), int(query["start"])
        values = [self.json(pull) for pull in found[start : start + size]]
        return web.json_response({"values": values, "isLastPage": start + size >= len(found), "limit": size, "start": start})

    def _one(self, request, pull, data):
        if request.method == "PUT":
            if pull.state != "open":
                return web.json_response({"errors": [{"message": "The pull request is not open"}]}, status=409)
            if data["version"] != pull.version:
                return self._stale()
            pull.title, pull.body, pull.draft = data["title"], data["description"], data.get("draft", False)
            pull.reviewers = [item["user"]["name"] for item in data["reviewers"]]
            self.forge.touch(pull)
        return web.json_response(self.json(pull))

    def _decline(self, request, pull, data):
        return self._stale() if int(request.query["version"]) != pull.version else super()._decline(request, pull, data)

    def _stale(self):
        error = {"message": "You are attempting to modify a pull request based on out-of-date information."}
        return web.json_response({"errors": [error]}, status=409)

    def _comments(self, _request, pull, data):
        pull.comments.append(data["text"])
        return web.json_response({}, status=201)

    def _participants(self, _request, pull, data):
        name = data["user"]["name"]
        if name not in self.forge.users:
            return web.json_response({"errors": [{"message": f"User {name} does not exist"}]}, status=404)
        pull.reviewers.append(name)
        self.forge.touch(pull)
        return web.json_response({})

    def _vetoes(self, pull):
        vetoes = []
        if self.forge.approved(pull) != "enough":
            vetoes.append({"summaryMessage": "Not all required reviewers have approved yet", "detailedMessage": ""})
        if self.forge.rules.checks and self.forge.standing(pull) != "passed":
            vetoes.append({"summaryMessage": "Not all required builds are successful yet", "detailedMessage": ""})
        return vetoes

    def _merge(self, request, pull, data):
        if request.method == "GET":
            can = self.forge.is_ready(pull)
            return web.json_response({"canMerge": can, "conflicted": pull.conflicts, "vetoes": self._vetoes(pull)})
        if int(request.query["version"]) != pull.version:
            return self._stale()
        if not self.forge.is_ready(pull):
            if data.get("autoMerge") and self.forge.rules.auto_merge and not pull.conflicts:
                pull.auto_merge = True
                return web.json_response(self.json(pull))
            return web.json_response({"errors": [{"message": "The pull request has conflicts or vetoes."}]}, status=409)
        self.forge.merge(pull.number)
        return web.json_response(self.json(pull))

    def _auto_merge(self, _request, pull, _data):
        was, pull.auto_merge = pull.auto_merge, False
        return web.Response(status=204) if was else not_found()

    def _other(self, _request, path):
        if found := re.fullmatch(r"/bb/rest/build-status/1.0/commits/stats/([0-9a-f]+)", path):
            names = {"passed": "successful", "failed": "failed", "pending": "inProgress"}
            counts = dict.fromkeys(("successful", "inProgress", "failed", "cancelled", "unknown"), 0)
            state = names.get(self.forge.statuses.get(found[1]))
            return web.json_response({**counts, **({state: 1} if state else {})})
        return not_found()

    def json(self, pull: FakePull) -> dict:
        here = {"id": 7, "slug": "fleet", "project": {"key": "O"}}
        source = {False: here, True: {**here, "id": 8}, "deleted": None}[pull.fork]
        statuses = {"approved": "APPROVED", "refused": "NEEDS_WORK"}
        named = dict.fromkeys([*pull.reviewers, *pull.opinions])
        return {
            "id": pull.number,
            "version": pull.version,
            "title": pull.title,
            "description": pull.body,
            "state": self.state(pull),
            "draft": pull.draft,
            "fromRef": {"id": f"refs/heads/{pull.branch}", "latestCommit": pull.head, "repository": source},
            "toRef": {"id": f"refs/heads/{pull.base}", "repository": here},
            "reviewers": [
                {"user": {"name": name}, "status": statuses.get(pull.opinions.get(name), "UNAPPROVED")} for name in named
            ],
            "links": {"self": [{"href": f"http://forge.example.org/o/fleet/pull/{pull.number}"}]},
        }
