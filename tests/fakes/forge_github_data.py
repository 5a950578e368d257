"""The Git database of GitHub and its mutation updateRefs, by docs.github.com/rest/git and /graphql/reference/git."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from tests.fakes.git_server import run_git

if TYPE_CHECKING:
    from tests.fakes.forge import FakeForge

BOT = "77+images[bot]@users.noreply.127.0.0.1"
_ZERO = "0" * 40


class FakeGitData:
    """Makes objects in the repository of *forge*; *is_bot* says whose token it is, *protected* the branches that a rule keeps.

    `before_move` is called before a branch is moved: what people do then.
    """

    def __init__(self, forge: FakeForge) -> None:
        self.forge = forge
        self.is_bot = True
        self.protected: set[str] = set()
        self.before_move = lambda: None

    def answer(self, path: str, data: dict) -> web.Response:
        return web.json_response(getattr(self, f"_{path.removeprefix('git/')}")(data), status=201)

    def who(self) -> web.Response:
        self.forge.asked[-1] += " query"
        viewer = {"login": "images[bot]" if self.is_bot else "anna", "databaseId": 77}
        return web.json_response({"data": {"viewer": viewer, "repository": {"id": "R_7"}}})

    def move(self, given: dict) -> web.Response:
        self.before_move()
        assert given["repositoryId"] == "R_7"
        (update,) = given["refUpdates"]
        branch, git = update["name"].removeprefix("refs/heads/"), self.forge.repository.git
        stands, after = self.forge.repository.head(branch) or _ZERO, update["afterOid"]
        if branch in self.protected:
            return _refused("UNPROCESSABLE", "Repository rule violations found: changes must be made through a pull request")
        if stands != update["beforeOid"]:
            return _refused("STALE_DATA", f"Expected {update['name']} to point to {update['beforeOid']} but it did not")
        is_forward = stands == _ZERO or git("merge-base", stands, after).strip() == stands
        if not (is_forward or update["force"]):
            return _refused("UNPROCESSABLE", "Update is not a fast forward")
        git("update-ref", update["name"], after)
        return web.json_response({"data": {"updateRefs": {"clientMutationId": None}}})

    def _blobs(self, data: dict) -> dict:
        return {"sha": self._blob(base64.b64decode(data["content"]))}

    def _blob(self, content: bytes) -> str:
        return run_git("--git-dir", self.forge.repository.path, "hash-object", "-w", "--stdin", data=content).strip()

    def _trees(self, data: dict) -> dict:
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            git = self.forge.repository.git
            git("read-tree", data["base_tree"], **index)
            for row in data["tree"]:
                sha = row.get("sha") or self._blob(row["content"].encode())
                git("update-index", "--add", "--cacheinfo", f"{row['mode']},{sha},{row['path']}", **index)
            return {"sha": git("write-tree", **index).strip()}

    def _commits(self, data: dict) -> dict:
        assert not {"author", "committer", "signature"} & data.keys()
        name, email = ("images[bot]", BOT) if self.is_bot else ("Anna", "anna@example.org")
        committer = ("GitHub", "noreply@127.0.0.1") if self.is_bot else (name, email)
        who = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email}
        who |= {"GIT_COMMITTER_NAME": committer[0], "GIT_COMMITTER_EMAIL": committer[1]}
        parents = [word for parent in data["parents"] for word in ("-p", parent)]
        command = ("--git-dir", self.forge.repository.path, "commit-tree", data["tree"], *parents)
        sha = run_git(*command, data=data["message"].encode(), **who).strip()
        return {
            "sha": sha,
            "tree": {"sha": data["tree"]},
            "parents": [{"sha": parent} for parent in data["parents"]],
            "author": {"name": name, "email": email},
            "committer": {"name": committer[0], "email": committer[1]},
            "verification": {"verified": self.is_bot, "reason": "valid" if self.is_bot else "unsigned"},
        }


def _refused(kind: str, message: str) -> web.Response:
    return web.Response(
        text=json.dumps({"data": None, "errors": [{"type": kind, "message": message}]}), content_type="application/json"
    )
