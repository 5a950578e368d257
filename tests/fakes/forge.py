"""A GitHub or a Gitea over one bare repository, as far as pull requests need it: listing, ETags, refusals, scripted faults."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from aiohttp import web

if TYPE_CHECKING:
    from tests.fakes.git_server import BareRepository

TOKEN = "forge-token-0123456789abcdef"


@dataclass
class FakePull:
    """A pull request: *head* is kept once it is closed, *fork* names another repository that it comes from."""

    number: int
    title: str
    body: str
    branch: str
    base: str
    state: str = "open"
    merged: bool = False
    head: str = ""
    fork: bool = False
    comments: list[str] = field(default_factory=list)
    changed: int = 0


class FakeForge:
    """Listens on loopback. *kind* is github or gitea; `asked` is what came in, `faults` are played first, first in first out.

    A fault is (method, answer): the next request of that method gets *answer*; it may be a callable, for one made on the spot.
    """

    def __init__(self, repository: BareRepository, kind: str, path: str = "o/fleet") -> None:
        self.repository = repository
        self.kind = kind
        self.path = path
        self.pulls: list[FakePull] = []
        self.asked: list[str] = []
        self.faults: list[tuple[str, web.Response]] = []
        self.clock = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def changes(self) -> list[str]:
        """Give what was asked for and is no reading."""
        return [line for line in self.asked if not line.startswith("GET")]

    def fail(self, method: str, status: int, message: str = "", **headers: str) -> None:
        """Answer the next request of *method* so."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append((method, web.json_response({"message": message}, status=status, headers=named)))

    # what a person does

    def merge(self, number: int, *, squashed: bool = False) -> None:
        pull = self._pull(number)
        pull.head = self.repository.head(pull.branch)
        tip = pull.head
        if squashed:
            parent = self.repository.head(pull.base)
            who = {"GIT_COMMITTER_NAME": "forge", "GIT_COMMITTER_EMAIL": "forge@example.org"}
            tip = self.repository.git("commit-tree", f"{tip}^{{tree}}", "-p", parent, "-m", "squashed", **who).strip()
        self.repository.git("update-ref", f"refs/heads/{pull.base}", tip)
        pull.state, pull.merged = "closed", True
        self._touch(pull)

    def close(self, number: int, state: str = "closed") -> None:
        pull = self._pull(number)
        pull.head, pull.state = self.repository.head(pull.branch), state
        self._touch(pull)

    def opened(self) -> list[FakePull]:
        return [pull for pull in self.pulls if pull.state == "open"]

    # the API

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path.removeprefix(f'/api/repos/{self.path}/')}")
        fault = next((item for item in self.faults if item[0] == request.method), None)
        if fault is not None:
            self.faults.remove(fault)
            return fault[1]
        scheme = "Bearer" if self.kind == "github" else "token"
        if request.headers.get("Authorization") != f"{scheme} {TOKEN}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        self._sync()
        path = request.path.removeprefix(f"/api/repos/{self.path}/")
        data = await request.json() if request.body_exists else {}
        if path == "pulls":
            return self._opened(data) if request.method == "POST" else self._listed(request)
        if found := re.fullmatch(r"pulls/([0-9]+)", path):
            return self._one(request, self._pull(int(found[1])), data)
        if found := re.fullmatch(r"issues/([0-9]+)/comments", path):
            self._pull(int(found[1])).comments.append(data["body"])
            return web.json_response({}, status=201)
        return web.json_response({"message": "Not Found"}, status=404)

    def _opened(self, data) -> web.Response:
        if any((item.branch, item.base) == (data["head"], data["base"]) and not item.fork for item in self.opened()):
            status = 422 if self.kind == "github" else 409
            words = "A pull request already exists for o:x." if self.kind == "github" else "pull request already exists"
            return web.json_response({"message": "Validation Failed", "errors": [{"message": words}]}, status=status)
        pull = FakePull(len(self.pulls) + 1, data["title"], data["body"], data["head"], data["base"])
        self.pulls.append(pull)
        self._touch(pull)
        return web.json_response(self._json(pull), status=201)

    def _one(self, request, pull: FakePull, data) -> web.Response:
        if request.method == "PATCH":
            pull.title, pull.body = data.get("title", pull.title), data.get("body", pull.body)
            if data.get("state"):
                self.close(pull.number, data["state"])
            self._touch(pull)
        return self._tagged(request, self._json(pull))

    def _listed(self, request) -> web.Response:
        query = request.query
        found = [pull for pull in self.pulls if query.get("state", "open") in {"all", pull.state}]
        if self.kind == "github":
            owner, _, branch = query["head"].partition(":")
            assert owner == self.path.partition("/")[0]
            found = [pull for pull in found if pull.branch == branch and pull.base == query["base"]]
        found = sorted(found, key=lambda pull: pull.changed, reverse=True)
        size, page = int(query.get("per_page") or query.get("limit")), int(query["page"])
        return self._tagged(request, [self._json(pull) for pull in found[size * (page - 1) : size * page]])

    def _tagged(self, request, data) -> web.Response:
        if self.kind == "gitea":
            return web.json_response(data)
        tag = f'"{hashlib.sha256(json.dumps(data).encode()).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            self.asked[-1] += " 304"
            return web.Response(status=304, headers={"ETag": tag})
        return web.json_response(data, headers={"ETag": tag})

    def _json(self, pull: FakePull) -> dict:
        standing = self.repository.head(pull.branch)
        head = pull.head if pull.state == "closed" else standing
        is_gone = self.kind == "gitea" and standing is None
        here = {"id": 7, "full_name": self.path}
        return {
            "number": pull.number,
            "html_url": f"http://forge.example.org/{self.path}/pull/{pull.number}",
            "state": pull.state,
            "title": pull.title,
            "body": pull.body.replace("\n", "\r\n"),
            "merged_at": "2026-01-01T00:00:00Z" if pull.merged else None,
            "head": {
                "label": pull.branch if self.kind == "gitea" else f"o:{pull.branch}",
                "ref": f"refs/pull/{pull.number}/head" if is_gone else pull.branch,
                "sha": head,
                "repo": {"id": 8, "full_name": "somebody/fleet"} if pull.fork else here,
            },
            "base": {"ref": pull.base, "repo": here},
        }

    def _sync(self) -> None:
        """Close what asks to merge a branch that is gone, as the forges do."""
        for pull in self.opened():
            standing = self.repository.head(pull.branch)
            if standing is None and not pull.fork:
                pull.state = "closed"
            elif standing is not None:
                pull.head = standing

    def _pull(self, number: int) -> FakePull:
        return self.pulls[number - 1]

    def _touch(self, pull: FakePull) -> None:
        self.clock += 1
        pull.changed = self.clock
