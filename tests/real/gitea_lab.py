"""Runs a real Gitea on loopback, and plays what people do on it: through its API, and with git over HTTP."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from tests.fakes.git_server import IDENTITY, BareRepository
from tests.real.daemon_process import until
from tests.real.parts import ended, free_port, require

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "a-Long-Passw0rd-for-loopback"
_INI = """\
RUN_MODE = prod
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {url}/
OFFLINE_MODE = true
START_SSH_SERVER = true
SSH_DOMAIN = 127.0.0.1
SSH_LISTEN_HOST = 127.0.0.1
SSH_PORT = {ssh}
SSH_LISTEN_PORT = {ssh}
BUILTIN_SSH_SERVER_USER = git
SSH_ROOT_PATH = {folder}/ssh
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
PASSWORD_HASH_ALGO = pbkdf2$100$50
[oauth2]
ENABLED = false
[repository]
ROOT = {folder}/repositories
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
[actions]
ENABLED = false
[mailer]
ENABLED = false
[log]
MODE = console
LEVEL = warn
"""


class GiteaError(Exception):
    """An answer of the API that is no success."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status


@dataclass(frozen=True)
class Person:
    """Somebody with an account, who uses the API with a token of all scopes."""

    url: str
    name: str
    token: str

    def api(self, method: str, path: str, data: object = None, **query: str) -> Any:
        """Ask the API; give its JSON, None where there is none. Raises `GiteaError`."""
        target = f"{self.url}/api/v1/{path}{f'?{urlencode(query)}' if query else ''}"
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(target, method=method, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise GiteaError(error.code, error.read().decode(errors="replace")[:500]) from None
        return json.loads(text) if text.strip() else None

    def new_token(self, *scopes: str) -> str:
        """Give a further token with only *scopes*."""
        target = f"{self.url}/api/v1/users/{self.name}/tokens"
        basic = base64.b64encode(f"{self.name}:{PASSWORD}".encode()).decode()
        data = json.dumps({"name": secrets.token_hex(4), "scopes": scopes}).encode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        request = urllib.request.Request(target, method="POST", data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["sha1"]


class Gitea:
    """One Gitea with SQLite below *folder*; *admin* may do everything on it, *owner*, *bot* and *stranger* are accounts."""

    admin: Person
    owner: Person
    bot: Person
    stranger: Person

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.ssh_port = free_port(), free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._program = require("gitea")
        self._log = folder / "gitea.log"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        texts = {"port": self.port, "ssh": self.ssh_port, "url": self.url, "folder": self.folder, "secret": secrets.token_hex(20)}
        (self.folder / "app.ini").write_text(_INI.format(**texts))
        self._command("migrate")
        said = self._command(
            *("admin", "user", "create", "--admin", "--username", "root", "--password", PASSWORD, "--email", "root@example.org"),
            *("--must-change-password=false", "--access-token", "--access-token-scopes", "all"),
        )
        found = re.search(r"\b[0-9a-f]{40}\b", said)
        assert found, said
        self.admin = Person(self.url, "root", found[0])
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*self._words(), "web"], env=self._environment(), stdout=log, stderr=log)
        until(self._answers, say=self.said)
        return self

    def __exit__(self, *_: object) -> None:
        ended(self._process, 20)

    def said(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def person(self, name: str) -> Person:
        """Make an account."""
        data = {"username": name, "password": PASSWORD, "email": f"{name}@example.org", "must_change_password": False}
        self.admin.api("POST", "admin/users", data)
        return Person(self.url, name, Person(self.url, name, "").new_token("all"))

    def repository(self, owner: Person, name: str, files: dict[str, bytes]) -> GiteaRepository:
        """Make a repository with *files* at its branch main."""
        owner.api("POST", "user/repos", {"name": name, "default_branch": "main", "auto_init": False})
        made = GiteaRepository(self.folder / "repositories" / owner.name / f"{name}.git", owner=owner, name=name)
        made.commit(files, message="first")
        return made

    def hide(self, person: Person, *, is_hidden: bool) -> None:
        """Let nobody else see *person*, and their packages, or everybody."""
        visibility = "private" if is_hidden else "public"
        self.admin.api(
            "PATCH", f"admin/users/{person.name}", {"login_name": person.name, "source_id": 0, "visibility": visibility}
        )

    def known_hosts(self) -> bytes:
        """Give the line of its own SSH server."""
        command = ["ssh-keyscan", "-p", str(self.ssh_port), "127.0.0.1"]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.said()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/api/healthz", timeout=5) as answer:
            return answer.status == 200
        return False

    def _words(self) -> list[str]:
        return [self._program, "--work-path", str(self.folder), "--config", str(self.folder / "app.ini")]

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder), "TZ": "UTC"}

    def _command(self, *words: str) -> str:
        done = subprocess.run([*self._words(), *words], env=self._environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class GiteaRepository(BareRepository):
    """A repository of a Gitea: read on its disk, and changed only as people do, so that Gitea notices."""

    def __init__(self, path: Path, *, owner: Person, name: str) -> None:
        super().__init__(path)
        self.owner, self.name = owner, name

    @property
    def full_name(self) -> str:
        return f"{self.owner.name}/{self.name}"

    @property
    def url(self) -> str:
        return f"{self.owner.url}/{self.full_name}.git"

    def api(self, method: str, path: str, data: object = None, **query: str) -> Any:
        """Ask the API below the repository, as its owner."""
        return self.owner.api(method, f"repos/{self.full_name}/{path}", data, **query)

    def commit(self, files, *, branch="main", message="a person's change", parent=None, committer=None):
        """Commit *files* (bytes; None to delete) in Gitea's editor. Gives the revision."""
        assert parent is None
        assert committer is None
        changes = []
        for path, content in files.items():
            old = self._blob(path, branch)
            change = {"path": path, "operation": "delete" if content is None else "update" if old else "create"}
            change |= {} if content is None else {"content": base64.b64encode(content).decode()}
            changes.append(change | ({"sha": old} if old else {}))
        who = {"name": "Person", "email": "person@example.org"}
        data = {"branch": branch, "message": message, "files": changes, "author": who, "committer": who}
        self.api("POST", "contents", data)
        return self.head(branch)

    def _blob(self, path: str, branch: str) -> str | None:
        command = ["git", "--git-dir", str(self.path), "rev-parse", "-q", "--verify", f"refs/heads/{branch}:{path}"]
        return subprocess.run(command, capture_output=True, env=IDENTITY, check=False).stdout.decode().strip() or None

    def remote(self, person: Person | None = None) -> str:
        """Give the URL with the token of *person*, its owner unless said otherwise, for the git program."""
        who = person or self.owner
        return self.url.replace("://", f"://{who.name}:{who.token}@", 1)

    def pulls(self, state: str = "all") -> list[dict[str, Any]]:
        """Give the pull requests, oldest first."""
        return sorted(self.api("GET", "pulls", state=state, limit="50"), key=lambda pull: pull["number"])

    def pull(self, number: int) -> dict[str, Any]:
        return self.api("GET", f"pulls/{number}")

    def change(self, number: int, **fields: object) -> None:
        """Change a pull request: title, body, state, base."""
        self.api("PATCH", f"pulls/{number}", fields)

    def merge(self, number: int, way: str = "merge", **more: object) -> None:
        """Click on the button that merges, once Gitea has checked that it can be."""
        until(lambda: self.pull(number)["mergeable"] and self._has_merged(number, {"Do": way, **more}))

    def _has_merged(self, number: int, data: object) -> bool:
        """Return whether Gitea takes the click: it says 405 "try again later" while it checks once more."""
        try:
            self.api("POST", f"pulls/{number}/merge", data)
        except GiteaError as error:
            if error.status == 405 and "try again later" in str(error):
                return False
            raise
        return True

    def delete(self, branch: str) -> None:
        """Click on the bin beside a branch, and wait until Gitea has drawn its conclusions, which takes it a moment."""
        before = self._deletions()
        self.api("DELETE", f"branches/{branch}")
        until(lambda: self._deletions() > before)

    def settle(self) -> None:
        """Wait until Gitea has drawn its conclusions from all pushes so far: they are a queue, and this is its last."""
        self.api("POST", "branches", {"new_branch_name": "last-in-the-queue", "old_branch_name": "main"})
        self.delete("last-in-the-queue")

    def _deletions(self) -> int:
        return sum(item["op_type"] == "delete_branch" for item in self.api("GET", "activities/feeds", limit="50"))

    def comments(self, number: int) -> list[str]:
        return [item["body"] for item in self.api("GET", f"issues/{number}/comments")]

    def report(self, revision: str, state: str, context: str = "ci") -> None:
        """Say what a check found of a commit: pending, success, failure."""
        self.api("POST", f"statuses/{revision}", {"state": state, "context": context})
