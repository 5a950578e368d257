"""The API of GitLab, by docs.gitlab.com/api: merge requests, notes, approvals, users."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from aiohttp import web

from tests.fakes.forge import TOKEN, FakePull, not_found

if TYPE_CHECKING:
    from tests.fakes.forge import FakeForge

_STATES = {"passed": "success", "failed": "failed", "pending": "running"}


class FakeGitlab:
    """GitLab: drafts by title, ids of users, one status that says why not."""

    has_etags = True
    words: ClassVar = {"number": "iid", "state": "state", "link": "web_url", "source": "source_project_id"}
    change = "PUT"
    listed = ""
    root = "/api"

    def __init__(self, forge: FakeForge) -> None:
        self.forge = forge
        self.prefix = f"/api/projects/{quote(forge.path, safe='')}/"
        self.armed: set[int] = set()

    def is_allowed(self, request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"

    def answer(self, request, path, data) -> web.Response:
        if path == "/api/users":
            wanted = request.query["username"]
            known = [(place, name) for place, name in enumerate(self.forge.users, 1) if name == wanted]
            return web.json_response([{"id": place, "username": name} for place, name in known])
        if path == "merge_requests":
            return self._opened(data) if request.method == "POST" else self._listed(request)
        found = re.fullmatch(r"merge_requests/([0-9]+)(?:/([a-z_]+))?", path)
        if not found or int(found[1]) > len(self.forge.pulls):
            return not_found("404 Not found")
        pull = self.forge.pull(int(found[1]))
        return getattr(self, f"_{found[2] or 'one'}")(request, pull, data)

    def _opened(self, data):
        pull = FakePull(0, "", data["description"], data["source_branch"], data["target_branch"])
        self._edit(pull, data)
        if self.forge.open(pull) is None:
            words = ["Another open merge request already exists for this source branch: !1"]
            return web.json_response({"message": words}, status=409)
        return web.json_response(self.json(pull), status=201)

    def _edit(self, pull, data):
        if "title" in data:
            pull.draft = data["title"].startswith("Draft: ")
            pull.title = data["title"].removeprefix("Draft: ")
        pull.body = data.get("description", pull.body)
        for label in filter(None, data.get("add_labels", data.get("labels", "")).split(",")):
            pull.labels += [label] if label not in pull.labels else []
        for key, people in (("reviewer_ids", pull.reviewers), ("assignee_ids", pull.assignees)):
            if key in data:
                people[:] = [self.forge.users[user - 1] for user in data[key]]

    def _listed(self, request):
        query = request.query
        states = {"all": {"open", "closed"}, "opened": {"open"}}[query["state"]]
        found = self.forge.listed(states)
        if "source_branch" in query:
            wanted = query["source_branch"], query["target_branch"]
            found = [pull for pull in found if (pull.branch, pull.base) == wanted]
        if query["order_by"] == "created_at":
            found = sorted(found, key=lambda pull: pull.number, reverse=True)
        size, page = int(query["per_page"]), int(query["page"])
        return self.forge.tagged(request, [self.json(pull) for pull in found[size * (page - 1) : size * page]])

    def _one(self, request, pull, data):
        if request.method == "PUT":
            self._edit(pull, data)
            if data.get("state_event") == "close":
                self.forge.close(pull.number)
            self.forge.touch(pull)
        return self.forge.tagged(request, self.json(pull))

    def _notes(self, _request, pull, data):
        pull.comments.append(data["body"])
        return web.json_response({}, status=201)

    def _approvals(self, _request, pull, _data):
        given = list(pull.opinions.values()).count("approved")
        return web.json_response(
            {"approvals_required": self.forge.rules.approvals, "approvals_left": max(self.forge.rules.approvals - given, 0)}
        )

    def _merge(self, _request, pull, data):
        if data["sha"] != pull.head:
            return web.json_response({"message": "SHA does not match HEAD of source branch: x"}, status=409)
        if data.get("merge_when_pipeline_succeeds") and self.forge.standing(pull) == "pending":
            pull.auto_merge = True
        elif not self.forge.is_ready(pull):
            return web.json_response({"message": "405 Method Not Allowed"}, status=405)
        else:
            self.forge.merge(pull.number)
        return web.json_response(self.json(pull))

    def _cancel_merge_when_pipeline_succeeds(self, _request, pull, _data):
        pull.auto_merge = False
        return web.json_response(self.json(pull), status=201)

    def _status(self, pull):
        if pull.conflicts:
            return "conflict"
        if pull.draft:
            return "draft_status"
        if self.forge.approved(pull) == "refused":
            return "requested_changes"
        if self.forge.approved(pull) == "missing":
            return "not_approved"
        return "mergeable" if self.forge.is_ready(pull) else "ci_still_running"

    def json(self, pull: FakePull) -> dict:
        checks = _STATES.get(self.forge.standing(pull))
        users = {name: place for place, name in enumerate(self.forge.users, 1)}
        source = {False: 7, True: 8, "deleted": None}[pull.fork]
        return {
            "id": 1000 + pull.number,
            "iid": pull.number,
            "web_url": f"http://forge.example.org/{self.forge.path}/pull/{pull.number}",
            "state": "merged" if pull.merged else {"open": "opened"}.get(pull.state, pull.state),
            "title": f"Draft: {pull.title}" if pull.draft else pull.title,
            "description": pull.body,
            "draft": pull.draft,
            "source_branch": pull.branch,
            "target_branch": pull.base,
            "source_project_id": source,
            "target_project_id": 7,
            "sha": pull.head,
            "labels": pull.labels,
            "reviewers": [{"id": users[name], "username": name} for name in pull.reviewers],
            "assignees": [{"id": users[name], "username": name} for name in pull.assignees],
            "has_conflicts": pull.conflicts,
            "detailed_merge_status": self._status(pull),
            "merge_when_pipeline_succeeds": pull.auto_merge,
            "head_pipeline": {"sha": pull.head, "status": checks, "ref": pull.branch} if checks else None,
        }
