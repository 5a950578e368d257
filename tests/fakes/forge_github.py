"""The APIs of GitHub and Gitea, by docs.github.com/rest, docs.github.com/graphql, and Gitea's own swagger page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

from aiohttp import web

from tests.fakes.forge import TOKEN, FakePull, not_found
from tests.fakes.forge_github_data import FakeGitData

if TYPE_CHECKING:
    from tests.fakes.forge import FakeForge


class _Rest:
    """What both share."""

    root = "/api"
    words: ClassVar = {"number": "number", "state": "state", "link": "html_url", "source": "head"}
    change = "PATCH"
    listed = ""
    scheme: str
    finds_by_branch = False

    def __init__(self, forge: FakeForge) -> None:
        self.forge = forge
        self.prefix = f"/api/repos/{forge.path}/"

    def is_allowed(self, request) -> bool:
        return request.headers.get("Authorization") == f"{self.scheme} {TOKEN}"

    def answer(self, request, path, data) -> web.Response:
        if path == "pulls":
            return self._opened(data) if request.method == "POST" else self._listed(request)
        if self.finds_by_branch and (found := re.fullmatch(r"pulls/([^/]*[^0-9/][^/]*)/(.+)", path)):
            return self._between(unquote(found[1]), unquote(found[2]))
        if found := re.fullmatch(r"(pulls|issues)/([0-9]+)(?:/([a-z_]+))?", path):
            if int(found[2]) > len(self.forge.pulls):
                return not_found()
            pull = self.forge.pull(int(found[2]))
            if found[3] is None:
                return self._issue(request, pull, data) if found[1] == "issues" else self._one(request, pull, data)
            return getattr(self, f"_{found[3]}")(request, pull, data)
        return self._other(request, path, data)

    def _comments(self, _request, pull, data):
        pull.comments.append(data["body"])
        return web.json_response({}, status=201)

    def _one(self, request, pull: FakePull, data) -> web.Response:
        if request.method == "PATCH":
            self._edit(pull, data)
            if data.get("state"):
                self.forge.close(pull.number, data["state"])
            self.forge.touch(pull)
        return self._shown(request, self.json(pull))

    def _issue(self, request, pull: FakePull, data) -> web.Response:
        return self._one(request, pull, data)

    def _edit(self, pull: FakePull, data) -> None:
        pull.title, pull.body = data.get("title", pull.title), data.get("body", pull.body)

    def _requested_reviewers(self, _request, pull, data):
        unknown = [name for name in data["reviewers"] if name not in self.forge.users]
        if unknown:
            return web.json_response({"message": f"{unknown[0]} is no collaborator"}, status=self.unknown_reviewer)
        asked = [*data["reviewers"], *(f"o/{team}" for team in data["team_reviewers"])]
        pull.reviewers += [name for name in asked if name not in pull.reviewers]
        return web.json_response(self.json(pull), status=201)

    def json(self, pull: FakePull) -> dict:
        here = {"id": 7, "full_name": self.forge.path}
        forks = {"github": None if pull.fork == "deleted" else {"id": 8, "full_name": "somebody/fleet"}}
        return {
            "number": pull.number,
            "html_url": f"http://forge.example.org/{self.forge.path}/pull/{pull.number}",
            "state": pull.state,
            "title": pull.title,
            "draft": pull.draft,
            "body": pull.body.replace("\n", "\r\n"),
            "merged_at": "2026-01-01T00:00:00Z" if pull.merged else None,
            "labels": [{"name": name} for name in pull.labels],
            "user": {"id": self.forge.user(pull.author), "login": pull.author},
            "assignees": [{"login": name} for name in pull.assignees],
            "head": {
                "label": f"o:{pull.branch}",
                "ref": pull.branch,
                "sha": pull.head if pull.state == "closed" else self.forge.repository.head(pull.branch),
                "repo": forks.get(self.forge.kind, {"id": 8}) if pull.fork else here,
            },
            "base": {"ref": pull.base, "repo": here},
        }


class FakeGithub(_Rest):
    """GitHub: ETags, filters by branch, GraphQL for readiness and automatic merges."""

    scheme = "Bearer"
    has_etags = True
    unknown_reviewer = 422

    def _shown(self, request, data):
        return self.forge.tagged(request, data)

    def _opened(self, data):
        pull = FakePull(0, data["title"], data["body"], data["head"], data["base"], draft=data.get("draft", False))
        if self.forge.open(pull) is None:
            words = "A pull request already exists for o:x."
            return web.json_response({"message": "Validation Failed", "errors": [{"message": words}]}, status=422)
        return web.json_response(self.json(pull), status=201)

    def _listed(self, request):
        query = request.query
        state = query.get("state", "open")
        found = self.forge.listed({"open", "closed"} if state == "all" else {state})
        if "head" in query:
            owner, _, branch = query["head"].partition(":")
            assert owner == self.forge.path.partition("/")[0]
            found = [pull for pull in found if pull.branch == branch and pull.base == query["base"]]
        size, page = int(query["per_page"]), int(query["page"])
        return self.forge.tagged(request, [self.json(pull) for pull in found[size * (page - 1) : size * page]])

    def _issue(self, _request, pull, data):
        """Change what a pull request is as an issue: labels and assignees are set, whom GitHub does not know is left out."""
        self._edit(pull, data)
        self.forge.labels += [name for name in data["labels"] if name not in self.forge.labels]
        pull.labels = list(data["labels"])
        pull.assignees = [name for name in data["assignees"] if name in self.forge.users]
        self.forge.touch(pull)
        made = self.json(pull)
        del made["head"], made["base"], made["draft"]
        return web.json_response({**made, "pull_request": {}})

    def _labels(self, _request, pull, data):
        self.forge.labels += [name for name in data["labels"] if name not in self.forge.labels]
        pull.labels += [name for name in data["labels"] if name not in pull.labels]
        return web.json_response([{"name": name} for name in pull.labels])

    def _assignees(self, _request, pull, data):
        pull.assignees += [name for name in data["assignees"] if name in self.forge.users]
        return web.json_response(self.json(pull), status=201)

    def _merge(self, _request, pull, data):
        if data["sha"] != pull.head:
            return web.json_response({"message": "Head branch was modified. Review and try the merge again."}, status=409)
        if not self.forge.is_ready(pull) or data["merge_method"] not in self.forge.rules.methods:
            return web.json_response({"message": "Pull Request is not mergeable"}, status=405)
        self.forge.merge(pull.number, squashed=data["merge_method"] == "squash")
        return web.json_response({"merged": True, "sha": self.forge.repository.head(pull.base)})

    def __init__(self, forge: FakeForge) -> None:
        super().__init__(forge)
        self.data = FakeGitData(forge)

    def _other(self, _request, path, data):
        if path in {"git/blobs", "git/trees", "git/commits"}:
            return self.data.answer(path, data)
        return self._graphql(data) if path == "/api/graphql" else not_found()

    def _graphql(self, data):
        variables = data["variables"]
        if "updaterWho" in data["query"]:
            return self.data.who()
        if "updaterAccount" in data["query"]:
            self.forge.asked[-1] += " query"
            name = self.forge.account
            return self.forge.whose(data={"viewer": {"login": name, "databaseId": self.forge.user(name)}})
        if "updaterMove" in data["query"]:
            self.forge.asked[-1] += " move"
            return self.data.move(variables["input"])
        if "updaterFacts" in data["query"]:
            self.forge.asked[-1] += " query"
            return web.json_response({"data": {"repository": self._facts(self.forge.pull(variables["number"]))}})
        given = variables["input"]
        pull = self.forge.pull(int(given["pullRequestId"].removeprefix("PR_")))
        if "enablePullRequestAutoMerge" in data["query"]:
            if self.forge.is_ready(pull):
                return web.json_response({"errors": [{"message": "Pull request Pull request is in clean status"}]})
            if given["expectedHeadOid"] != pull.head:
                return web.json_response({"errors": [{"message": "Head sha does not match expected head oid"}]})
            pull.auto_merge = True
        else:
            pull.auto_merge = False
        return web.json_response({"data": {"x": {"pullRequest": {"number": pull.number}}}})

    def _facts(self, pull):
        states = {"passed": "SUCCESS", "failed": "FAILURE", "pending": "PENDING"}
        checks = states.get(self.forge.standing(pull))
        decisions = {"refused": "CHANGES_REQUESTED", "missing": "REVIEW_REQUIRED"}
        decision = decisions.get(self.forge.approved(pull), "APPROVED" if self.forge.rules.approvals else None)
        opinions = {"approved": "APPROVED", "refused": "CHANGES_REQUESTED"}
        return {
            "autoMergeAllowed": self.forge.rules.auto_merge,
            "viewerDefaultMergeMethod": "MERGE",
            "mergeCommitAllowed": "merge" in self.forge.rules.methods,
            "squashMergeAllowed": "squash" in self.forge.rules.methods,
            "rebaseMergeAllowed": "rebase" in self.forge.rules.methods,
            "pullRequest": {
                "id": f"PR_{pull.number}",
                "number": pull.number,
                "state": "MERGED" if pull.merged else pull.state.upper(),
                "headRefOid": pull.head,
                "isDraft": pull.draft,
                "mergeable": "CONFLICTING" if pull.conflicts else "MERGEABLE",
                "mergeStateStatus": "DIRTY" if pull.conflicts else "CLEAN" if self.forge.is_ready(pull) else "BLOCKED",
                "reviewDecision": decision,
                "autoMergeRequest": {"enabledAt": "2026-01-01T00:00:00Z"} if pull.auto_merge else None,
                "latestOpinionatedReviews": {"nodes": [{"state": opinions[said]} for said in pull.opinions.values()]},
                "commits": {
                    "nodes": [{"commit": {"oid": pull.head, "statusCheckRollup": {"state": checks} if checks else None}}]
                },
            },
        }


class FakeGitea(_Rest):
    """Gitea: labels by id, drafts by title, a merge that waits for checks."""

    scheme = "token"
    has_etags = False
    finds_by_branch = True
    unknown_reviewer = 404

    def _shown(self, request, data):
        return self.forge.tagged(request, data)

    def _opened(self, data):
        people = {status: data.get(key, ()) for key, status in (("assignees", 422), ("reviewers", 404))}
        for status, named in people.items():
            if unknown := [name for name in named if name not in self.forge.users]:
                return web.json_response({"message": f"user does not exist: [name: {unknown[0]}]"}, status=status)
        pull = FakePull(0, "", data["body"], data["head"], data["base"])
        self._edit(pull, data)
        kept = [label for label in data.get("labels", ()) if label <= len(self.forge.labels)]  # others are left out
        pull.labels = [self.forge.labels[label - 1] for label in kept]
        pull.reviewers = [*data.get("reviewers", ()), *(f"o/{team}" for team in data.get("team_reviewers", ()))]
        if self.forge.open(pull) is None:
            return web.json_response({"message": "pull request already exists for these targets"}, status=409)
        return web.json_response(self.json(pull), status=201)

    def _edit(self, pull, data):
        if "title" in data:
            shown = data["title"] if len(data["title"]) <= 255 else f"{data['title'][:254]}…"
            pull.draft = shown.startswith("WIP: ")
            pull.title = shown.removeprefix("WIP: ")
        if "assignees" in data:
            pull.assignees = data["assignees"]
        pull.body = data.get("body", pull.body)

    def _one(self, request, pull, data):
        unknown = [name for name in data.get("assignees", ()) if name not in self.forge.users]
        if unknown:
            status = 422 if "/pulls/" in request.path else 500  # as Gitea 1.26: of an issue it says nothing
            return web.json_response({"message": f"Assignee does not exist: [name: {unknown[0]}]"}, status=status)
        return super()._one(request, pull, data)

    def _listed(self, request):
        query = request.query
        found = self.forge.listed({"open", "closed"} if query["state"] == "all" else {query["state"]})
        size, page = min(int(query["limit"]), self.forge.page_cap), int(query["page"])
        answer = self.forge.tagged(request, [self.json(pull) for pull in found[size * (page - 1) : size * page]])
        answer.headers["X-Total-Count"] = str(len(found))
        return answer

    def _between(self, base, branch):
        """Answer with any of those of the two branches: the oldest, as Gitea 1.26 with SQLite does."""
        found = [pull for pull in self.forge.pulls if (pull.branch, pull.base) == (branch, base) and not pull.fork]
        return web.json_response(self.json(found[0])) if found else not_found()

    def _paged(self, request, items):
        size, page = min(int(request.query["limit"]), self.forge.page_cap), int(request.query["page"])
        return web.json_response(items[size * (page - 1) : size * page], headers={"X-Total-Count": str(len(items))})

    def _labels(self, _request, pull, data):
        pull.labels += [name for name in (self.forge.labels[label - 1] for label in data["labels"]) if name not in pull.labels]
        return web.json_response([{"name": name} for name in pull.labels])

    def _reviews(self, request, pull, _data):
        states = {"approved": "APPROVED", "refused": "REQUEST_CHANGES"}
        listed = [
            {"id": place, "user": {"login": name}, "state": states[said], "official": True, "dismissed": False}
            for place, (name, said) in enumerate(pull.opinions.items(), 1)
        ]
        return self._paged(request, listed)

    def _merge(self, request, pull, data):
        if request.method == "DELETE":
            was, pull.auto_merge = pull.auto_merge, False
            return web.Response(status=204) if was else not_found()
        if data["Do"] not in self.forge.rules.methods:
            return web.json_response({"message": "not an allowed merge style for this repository"}, status=405)
        if data.get("merge_when_checks_succeed"):
            if pull.auto_merge:
                words = "pull request is already scheduled to auto merge when checks succeed"
                return web.json_response({"message": words}, status=409)
            pull.auto_merge = True
            return web.Response(status=201)
        if data["head_commit_id"] != pull.head:
            return web.json_response({"message": "head out of date"}, status=409)
        if pull.conflicts:
            return web.json_response({"Style": "merge", "StdErr": "conflict"}, status=409)
        if not self.forge.is_ready(pull):
            return web.json_response({"message": "Please try again later"}, status=405)
        self.forge.merge(pull.number, squashed=data["Do"] == "squash")
        return web.Response(status=200)

    def _other(self, request, path, data):
        rules = self.forge.rules
        if path == "/api/user":
            return self.forge.whose(id=self.forge.user(self.forge.account), login=self.forge.account)
        if path == self.prefix.rstrip("/"):
            return web.json_response(self._merging())
        if path == "labels":
            if request.method == "POST":
                self.forge.labels.append(data["name"])
                return web.json_response({"id": len(self.forge.labels), "name": data["name"]}, status=201)
            return self._paged(request, [{"id": place, "name": name} for place, name in enumerate(self.forge.labels, 1)])
        if path.startswith("branches/"):
            return web.json_response({"required_approvals": rules.approvals, "enable_status_check": rules.checks})
        if found := re.fullmatch(r"commits/([0-9a-f]+)/status", path):
            states = {"passed": "success", "failed": "failure", "pending": "pending"}
            state = states.get(self.forge.statuses.get(found[1], ""), "")
            statuses = [{"status": state}] if state else []
            return web.json_response({"state": state, "total_count": len(statuses), "statuses": statuses})
        return not_found()

    def _merging(self):
        """Give how the repository merges."""
        methods = self.forge.rules.methods
        allowed = {"allow_merge_commits": "merge" in methods, "allow_squash_merge": "squash" in methods}
        return {"default_merge_style": "merge", **allowed}

    def json(self, pull: FakePull) -> dict:
        made = super().json(pull)
        head = made["head"]
        is_gone = self.forge.repository.head(pull.branch) is None
        made["title"] = f"WIP: {pull.title}" if pull.draft else pull.title
        made["mergeable"] = not pull.conflicts
        made["updated_at"] = datetime.fromtimestamp(pull.changed, UTC).isoformat().replace("+00:00", "Z")
        made["requested_reviewers"] = [{"login": name} for name in pull.reviewers if "/" not in name]
        made["requested_reviewers_teams"] = [{"name": name.partition("/")[2]} for name in pull.reviewers if "/" in name]
        made["base"] = {**made["base"], "repo": {**made["base"]["repo"], **(self._merging() if self.forge.shows_methods else {})}}
        made["head"] = {**head, "label": pull.branch, "ref": f"refs/pull/{pull.number}/head" if is_gone else pull.branch}
        return made
