"""An API server of our own with scripted faults: lists in pages, watches with bookmarks, patches, versions that expire.

What it does right is what the real one does (tests/real/test_kube.py asks both the same); what it does wrong is scripted.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from updater.kube.access import AccessEnvironment, ClusterAccess, find_access

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from updater.kube.kinds import Kind

Answering = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
Key = tuple[str, str]


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: Any = None


@dataclass
class Shelf:
    """The objects of one collection path of all namespaces, and every change of them."""

    plural: str
    kind: str
    objects: dict[Key, dict] = field(default_factory=dict)
    changes: list[tuple[int, str, dict]] = field(default_factory=list)


class FakeKube:
    """`faults` are asked in turn before the server; one that gives None leaves the answer to the next. `asked` is what came in.

    Kinds are installed by `install`; objects put by `put` and `remove`. `forget` lets old versions expire, `bookmark` sends
    bookmarks to every watch, `cut` ends every watch. *token*, if set, is the only one that is let in.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, token: str = "") -> None:
        self.faults: list[Answering] = []
        self.asked: list[Asked] = []
        self.token = token
        self.version = 100
        self.oldest = 100
        self.port = 0
        self._tls = tls
        self._shelves: dict[str, Shelf] = {}
        self._continues: dict[str, tuple[int, list[dict]]] = {}
        self._moved = asyncio.Condition()
        self._bookmarks = 0
        self._cuts = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        application = web.Application(middlewares=[self._first_the_faults], client_max_size=10**8)
        application.router.add_route("*", "/{path:.+}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self.cut()
        await self._runner.cleanup()

    def access(self, folder: Path) -> ClusterAccess:
        """Give the way to this server, by a kubeconfig written into *folder*."""
        path = folder / "kubeconfig"
        path.write_text(kubeconfig(self.url, {"token": self.token} if self.token else {}))
        return find_access(path, surroundings=AccessEnvironment(environment={}, home=folder))

    def install(self, kind: Kind) -> None:
        self._shelves[kind.path()] = Shelf(kind.plural, kind.name)

    async def put(self, kind: Kind, name: str, namespace: str = "default", **content: Any) -> dict:
        """Make or change an object, as somebody else would."""
        metadata = {"name": name, "namespace": namespace, **content.pop("metadata", {})}
        body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **content}
        return await self._keep(self._shelves[kind.path()], (namespace, name), body)

    async def remove(self, kind: Kind, name: str, namespace: str = "default") -> None:
        await self._drop(self._shelves[kind.path()], (namespace, name))

    def read(self, kind: Kind, name: str, namespace: str = "default") -> dict | None:
        return self._shelves[kind.path()].objects.get((namespace, name))

    async def forget(self) -> None:
        """Keep no version but the newest."""
        self.oldest = self.version

    async def bookmark(self) -> None:
        self.version += 1
        self._bookmarks = self.version
        await self._stir()

    async def cut(self) -> None:
        self._cuts += 1
        await self._stir()

    def count(self, part: str) -> int:
        """How many requests had *part* in method, path or query."""
        return sum(part in f"{asked.method} {asked.path}?{asked.query}" for asked in self.asked)

    @web.middleware
    async def _first_the_faults(self, request: web.Request, handler) -> web.StreamResponse:
        text = await request.text()
        self.asked.append(
            Asked(request.method, request.path, dict(request.query), dict(request.headers), json.loads(text) if text else None)
        )
        for fault in list(self.faults):
            answer = await fault(request)
            if answer is not None:
                return answer
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return refuse(401, "Unauthorized")
        return await handler(request)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        shelf, namespace, name = self._place(request.path)
        if shelf is None:
            return refuse(404, "the server could not find the requested resource")
        if not name and request.method == "POST":
            return await self._create(shelf, await request.json())
        if not name and request.query.get("watch"):
            return await self._watch(request, shelf, namespace)
        if not name:
            return self._list(request, shelf, namespace)
        return await self._one(request, shelf, (namespace, name))

    def _place(self, path: str) -> tuple[Shelf | None, str, str]:
        for root, shelf in self._shelves.items():
            base = root.rpartition("/")[0]
            if not path.startswith(f"{base}/"):
                continue
            parts = path.removeprefix(f"{base}/").split("/")
            namespace = parts[1] if parts[0] == "namespaces" and len(parts) > 2 else ""
            rest = parts[2:] if namespace else parts
            if rest[0] == shelf.plural:
                return shelf, namespace, rest[1] if len(rest) > 1 else ""
        return None, "", ""

    async def _create(self, shelf: Shelf, body: dict) -> web.Response:
        key = (body["metadata"].get("namespace", "default"), body["metadata"]["name"])
        if key in shelf.objects:
            return refuse(409, "it already exists", reason="AlreadyExists")
        return web.json_response(await self._keep(shelf, key, body), status=201)

    async def _one(self, request: web.Request, shelf: Shelf, key: Key) -> web.Response:
        kept = shelf.objects.get(key)
        form = request.content_type
        if kept is None and not form.startswith("application/apply"):
            return refuse(404, f'{shelf.plural} "{key[1]}" not found', reason="NotFound")
        if request.method == "GET":
            return web.json_response(kept)
        body = await request.json()
        if request.method == "DELETE":
            await self._drop(shelf, key)
            return web.json_response({"kind": "Status", "status": "Success"})
        changed = patched(copy.deepcopy(kept or {}), body, form)
        if kept and changed["metadata"].get("resourceVersion") != kept["metadata"]["resourceVersion"]:
            return refuse(409, "the object has been modified", reason="Conflict")
        return web.json_response(await self._keep(shelf, key, changed))

    async def _keep(self, shelf: Shelf, key: Key, body: dict) -> dict:
        self.version += 1
        kept = copy.deepcopy(body)
        kept["metadata"] |= {"namespace": key[0], "resourceVersion": str(self.version), "uid": f"uid-{key[0]}-{key[1]}"}
        what = "MODIFIED" if key in shelf.objects else "ADDED"
        shelf.objects[key] = kept
        shelf.changes.append((self.version, what, kept))
        await self._stir()
        return kept

    async def _drop(self, shelf: Shelf, key: Key) -> None:
        self.version += 1
        gone = copy.deepcopy(shelf.objects.pop(key))
        gone["metadata"]["resourceVersion"] = str(self.version)
        shelf.changes.append((self.version, "DELETED", gone))
        await self._stir()

    async def _stir(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    def _list(self, request: web.Request, shelf: Shelf, namespace: str) -> web.Response:
        following = request.query.get("continue", "")
        if following:
            version, items = self._continues[following]  # a page may be asked for twice
            if version < self.oldest:
                return refuse(410, "The provided continue parameter is too old", reason="Expired")
        else:
            version = self.version
            items = [item for key, item in sorted(shelf.objects.items()) if not namespace or key[0] == namespace]
        limit = int(request.query.get("limit", "0")) or len(items)
        metadata = {"resourceVersion": str(version)}
        if items[limit:]:
            metadata["continue"] = base64.b64encode(f"{version} {len(self._continues)} {len(items)}".encode()).decode()
            self._continues[metadata["continue"]] = (version, items[limit:])
        return web.json_response({"kind": f"{shelf.kind}List", "metadata": metadata, "items": items[:limit]})

    async def _watch(self, request: web.Request, shelf: Shelf, namespace: str) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        version, marks, cuts = int(request.query["resourceVersion"]), self._bookmarks, self._cuts
        if version < self.oldest:
            await send(response, "ERROR", status_object(410, "too old resource version", "Expired"))
            return response
        while cuts == self._cuts:
            for at, what, item in [change for change in shelf.changes if change[0] > version]:
                version = at
                if not namespace or item["metadata"]["namespace"] == namespace:
                    await send(response, what, item)
            if marks != self._bookmarks:
                marks = self._bookmarks
                version = max(version, marks)
                await send(response, "BOOKMARK", {"kind": shelf.kind, "metadata": {"resourceVersion": str(version)}})
            async with self._moved:
                if cuts == self._cuts and marks == self._bookmarks and not any(change[0] > version for change in shelf.changes):
                    await self._moved.wait()
        return response


async def send(response: web.StreamResponse, what: str, item: dict) -> None:
    """Send one event of a watch."""
    await response.write(json.dumps({"type": what, "object": item}).encode() + b"\n")


def patched(kept: dict, change: Any, form: str) -> dict:
    """Apply a patch; of JSON patches only what the program sends: add, replace and remove of members and entries."""
    if not form.startswith("application/json-patch"):
        return merged(kept, change)
    for step in change:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        place: Any = kept
        for part in way:
            place = place[int(part) if isinstance(place, list) else part]
        at: Any = int(last) if isinstance(place, list) and last != "-" else last
        if step["op"] == "remove":
            del place[at]
        elif isinstance(place, list) and step["op"] == "add":
            place.insert(len(place) if at == "-" else at, step["value"])
        else:
            place[at] = step["value"]
    return kept


def merged(kept: Any, change: Any) -> Any:
    """Apply a merge patch (RFC 7386)."""
    if not isinstance(change, dict):
        return change
    made = dict(kept) if isinstance(kept, dict) else {}
    for name, value in change.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made


def status_object(code: int, message: str, reason: str = "", **details: Any) -> dict:
    """What the API server says instead of what was asked."""
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": reason} | (
        {"details": details} if details else {}
    )


def refuse(code: int, message: str, *, reason: str = "", headers: dict[str, str] | None = None, **details: Any) -> web.Response:
    """An answer that holds a Status."""
    return web.json_response(status_object(code, message, reason, **details), status=code, headers=headers)


def when(make: Callable[[web.Request], Any], *, times: int = 10**9, **query: str) -> Answering:
    """A fault: the next *times* requests with this *query*, `method` and `part` of the path get what *make* makes of them."""
    left, method, part = [times], query.pop("method", ""), query.pop("part", "")

    async def answer(request: web.Request) -> web.StreamResponse | None:
        is_meant = (not method or request.method == method) and part in request.path
        if not is_meant or left[0] <= 0 or any(request.query.get(name, "") != value for name, value in query.items()):
            return None
        left[0] -= 1
        made = make(request)
        return await made if isinstance(made, Awaitable) else made

    return answer


def kubeconfig(server: str, user: dict[str, Any], **cluster: Any) -> str:
    """Write a kubeconfig of one context (JSON is YAML)."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
            "clusters": [{"name": "lab", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "me", "user": user}],
        }
    )
