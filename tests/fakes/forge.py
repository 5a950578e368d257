"""A forge over one bare repository, as far as pull requests need it: its state, what people do there, scripted faults.

The API that it speaks is that of `kind`: each dialect has a module beside this one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from aiohttp import web

if TYPE_CHECKING:
    from tests.fakes.git_server import BareRepository

TOKEN = "forge-token-0123456789abcdef"
#: whose token that is
ACCOUNT = "images[bot]"
_WHO = {"GIT_COMMITTER_NAME": "forge", "GIT_COMMITTER_EMAIL": "forge@example.org"}


@dataclass
class FakePull:
    """A pull request: *head* is kept once it is closed, *fork* says that it comes from another repository.

    *opinions* are of people by name: approved or refused. *conflicts* says that it cannot be merged.
    """

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
    draft: bool = False
    labels: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    opinions: dict[str, str] = field(default_factory=dict)
    conflicts: bool = False
    auto_merge: bool = False
    version: int = 1
    author: str = ACCOUNT


@dataclass
class Rules:
    """What people set on the page of the repository: *checks* says that a green check is asked for."""

    approvals: int = 0
    checks: bool = False
    auto_merge: bool = True
    methods: tuple[str, ...] = ("merge", "squash")


class FakeDialect(Protocol):
    """One API. *prefix* is what stands before what `FakeForge.asked` says of a request, *root* the path of the API.

    *words* are its names for number, state, link and source, *change* the method that changes, *listed* where items are listed.
    """

    prefix: str
    root: str
    has_etags: bool
    words: dict[str, str]
    change: str
    listed: str

    def is_allowed(self, request: web.Request) -> bool:
        """Say whether the request shows the token as this forge reads it."""

    def answer(self, request: web.Request, path: str, data: dict) -> web.Response:
        """Answer a request for *path*, without the prefix."""


class FakeForge:
    """Listens on loopback. `asked` is what came in, `faults` are played first, first in first out.

    A fault is (method, answer): the next request of that method gets *answer*, or its usual one after so many seconds. While
    `refuses` names a method, all its requests get that status, body and headers. `slashes` says that what stands before it has
    them "decoded" in paths, or "refused".
    """

    def __init__(self, repository: BareRepository, kind: str, path: str = "o/fleet") -> None:
        self.repository = repository
        self.kind = kind
        self.path = path
        self.pulls: list[FakePull] = []
        self.asked: list[str] = []
        self.faults: list[tuple[str, web.Response | float]] = []
        self.refuses: dict[str, tuple[int, object, dict[str, str]]] = {}
        self.clock = 0
        self.rules = Rules()
        self.users = ["anna", "bert"]
        self.labels: list[str] = []
        self.statuses: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.page_cap = 50
        self.slashes = ""
        self.tells_account = True
        self.shows_methods = True
        self.account = ACCOUNT
        self.dialect = dialect_of(self)

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=2**26)
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
        return f"http://127.0.0.1:{self.port}{self.dialect.root}"

    def changes(self) -> list[str]:
        """Give what was asked for and is no reading."""
        return [line for line in self.asked if not line.startswith("GET") and not line.endswith(" query")]

    def fail(self, method: str, status: int, message: str = "", **headers: str) -> None:
        """Answer the next request of *method* so."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append((method, web.json_response({"message": message}, status=status, headers=named)))

    # what a person does

    def merge(self, number: int, *, squashed: bool = False) -> None:
        pull = self.pull(number)
        pull.head = self.repository.head(pull.branch)
        tip = pull.head
        if squashed:
            parent = self.repository.head(pull.base)
            tip = self.repository.git("commit-tree", f"{tip}^{{tree}}", "-p", parent, "-m", "squashed", **_WHO).strip()
        self.repository.git("update-ref", f"refs/heads/{pull.base}", tip)
        pull.state, pull.merged = "closed", True
        self.touch(pull)

    def close(self, number: int, state: str = "closed") -> None:
        pull = self.pull(number)
        pull.head, pull.state = self.repository.head(pull.branch) or pull.head, state
        self.touch(pull)

    def opened(self) -> list[FakePull]:
        return [pull for pull in self.pulls if pull.state == "open"]

    def check(self, branch: str, state: str) -> None:
        """Say passed, failed or pending of the head of *branch*."""
        self.statuses[self.repository.head(branch)] = state

    def move(self, branch: str) -> str:
        """Push a commit of somebody else to *branch*."""
        head = self.repository.head(branch)
        made = self.repository.git("commit-tree", f"{head}^{{tree}}", "-p", head, "-m", "by hand", **_WHO).strip()
        self.repository.git("update-ref", f"refs/heads/{branch}", made)
        return made

    def notice_deletions(self) -> None:
        """Close what is open from branches that were deleted by a push, as Gitea does: late, though they may be there again."""
        gone = {ref.removeprefix("refs/heads/") for _, ref, _, new in self.repository.pushes if not new.strip("0")}
        for pull in self.opened():
            if pull.branch in gone:
                self.close(pull.number)

    # what every dialect needs

    def open(self, pull: FakePull) -> FakePull | None:
        """Take a new pull request; None where one of the same branches is open."""
        here = [(item.branch, item.base) for item in self.opened() if not item.fork]
        if (pull.branch, pull.base) in here:
            return None
        pull.number = len(self.pulls) + 1
        self.pulls.append(pull)
        self.sync()
        self.touch(pull)
        return pull

    def listed(self, states: set[str]) -> list[FakePull]:
        """Return what stands in one of *states*, what changed last first."""
        return sorted((pull for pull in self.pulls if pull.state in states), key=lambda pull: pull.changed, reverse=True)

    def standing(self, pull: FakePull) -> str:
        """Return the checks of its head: none, pending, passed or failed."""
        return self.statuses.get(pull.head, "none")

    def approved(self, pull: FakePull) -> str:
        """Return enough, missing or refused."""
        if "refused" in pull.opinions.values():
            return "refused"
        return "enough" if list(pull.opinions.values()).count("approved") >= self.rules.approvals else "missing"

    def is_ready(self, pull: FakePull) -> bool:
        """Return whether the forge lets it be merged."""
        checks = {"passed"} if self.rules.checks else {"passed", "none", "pending", "failed"}
        is_fine = not pull.conflicts and not pull.draft and pull.state == "open"
        return is_fine and self.standing(pull) in checks and self.approved(pull) == "enough"

    def sync(self) -> None:
        """Close what asks to merge a branch that is gone, and merge what is ready and was asked for, as the forges do."""
        for pull in self.opened():
            standing = self.repository.head(pull.branch)
            if standing is None and not pull.fork:
                pull.state = "closed"
                self.touch(pull)
            elif standing is not None:
                pull.head = standing
                if pull.auto_merge and self.is_ready(pull) and self.standing(pull) != "pending":
                    self.merge(pull.number)

    def user(self, name: str) -> int:
        """Return the id of a user."""
        return 77 if name == ACCOUNT else 1000 + zlib.crc32(name.encode()) % 1000

    def whose(self, **words: object) -> web.Response:
        """Answer whose token it is, or that it may not ask that."""
        return web.json_response(words) if self.tells_account else web.json_response({"message": "no such right"}, status=403)

    def pull(self, number: int) -> FakePull:
        return self.pulls[number - 1]

    def touch(self, pull: FakePull) -> None:
        self.clock += 1
        pull.changed = self.clock
        pull.version += 1

    def tagged(self, request: web.Request, data: object) -> web.Response:
        """Answer with an ETag, or that nothing changed."""
        if not self.dialect.has_etags:
            return web.json_response(data)
        tag = f'"{hashlib.sha256(json.dumps(data).encode()).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            self.asked[-1] += " 304"
            return web.Response(status=304, headers={"ETag": tag, **self.headers})
        return web.json_response(data, headers={"ETag": tag})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0].removeprefix(self.dialect.prefix)
        if self.slashes and "%2F" in path:
            if self.slashes == "refused":
                return web.Response(status=404, text="<html>Not Found</html>")
            path = path.replace("%2F", "/")
        self.asked.append(f"{request.method} {path}")
        fault = next((item for item in self.faults if item[0] == request.method), None)
        if fault is not None:
            self.faults.remove(fault)
            if not isinstance(fault[1], float):
                return fault[1]
            await asyncio.sleep(fault[1])
        if request.method in self.refuses:
            status, body, headers = self.refuses[request.method]
            return web.json_response(body, status=status, headers=headers)
        if not self.dialect.is_allowed(request):
            return web.json_response({"message": "Bad credentials"}, status=401)
        self.sync()
        data = await request.json() if request.body_exists else {}
        answer = too_long(self.kind, path, data) or self.dialect.answer(request, path, data)
        answer.headers.update(self.headers)
        if self.headers and path.endswith("graphql"):  # which GitHub counts apart
            answer.headers["X-RateLimit-Resource"] = "graphql"
        return answer


#: by kind, the longest title and text, and the status and words of the refusal. Gitea cuts titles itself, and takes any text
LIMITS = {
    "github": (256, 65_536, 422, {"message": "Validation Failed", "errors": [{"message": "is too long"}]}),
    "gitlab": (255, 1_048_576, 400, {"message": {"title": ["is too long (maximum is 255 characters)"]}}),
    "bitbucket": (255, 32_768, 400, {"type": "error", "error": {"message": "Bad request", "fields": {"title": ["too long"]}}}),
    "bitbucket-server": (255, 32_768, 400, {"errors": [{"context": "title", "message": "must be at most 255 characters"}]}),
    "azure": (400, 4_000, 400, {"message": "Invalid argument value. A title or description is too long.", "typeKey": "Invalid"}),
}


def too_long(kind: str, path: str, data: object) -> web.Response | None:
    """Return the refusal of a pull request whose title or text is longer than the vendor takes, counted as UTF-16."""
    if (
        kind not in LIMITS
        or not isinstance(data, dict)
        or not re.fullmatch(r"(?i)(pulls|pull-?requests|merge_requests)(/[0-9]+)?", path)
    ):
        return None
    title, text, status, words = LIMITS[kind]
    given = ((data.get("title"), title), (data.get("body", data.get("description")), text))
    if all(value is None or len(value.encode("utf-16-le")) <= 2 * most for value, most in given):
        return None
    return web.json_response(words, status=status)


def not_found(message: str = "Not Found") -> web.Response:
    return web.json_response({"message": message}, status=404)


def dialect_of(forge: FakeForge) -> FakeDialect:
    """Return the API that *forge* speaks; the modules of dialects know this one."""
    from tests.fakes.forge_azure import FakeAzure  # noqa: PLC0415
    from tests.fakes.forge_bitbucket import FakeBitbucket, FakeBitbucketServer  # noqa: PLC0415
    from tests.fakes.forge_github import FakeGitea, FakeGithub  # noqa: PLC0415
    from tests.fakes.forge_gitlab import FakeGitlab  # noqa: PLC0415

    made = {
        "github": FakeGithub,
        "gitea": FakeGitea,
        "gitlab": FakeGitlab,
        "bitbucket": FakeBitbucket,
        "bitbucket-server": FakeBitbucketServer,
        "azure": FakeAzure,
    }
    return made[forge.kind](forge)
