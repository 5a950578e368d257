"""Be a small OCI registry in this process: what `updater demo` reads from.

Images are pushed by a Python call and served over HTTP on loopback, as the OCI distribution specification
says for reading: tag lists with pages and Link, manifests, configurations. Nothing touches the disk.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web

from updater.model.image import Digest, Platform

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LINUX: Final = (Platform(os="linux", architecture="amd64"),)
_NO_LABELS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Blob:
    """A manifest or configuration: its type and its bytes."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """The digest of the bytes."""
        return "sha256:" + hashlib.sha256(self.body).hexdigest()

    def descriptor(self, **more: object) -> dict[str, object]:
        """Return what points at this blob (OCI image specification, descriptors)."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **more}


@dataclass(slots=True)
class StoredImage:
    """What the registry holds under one image name: digests by tag, and everything by digest."""

    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, Blob] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)


def build_image(
    *, created: datetime | None, labels: Mapping[str, str], platforms: tuple[Platform, ...]
) -> tuple[list[Blob], list[Blob]]:
    """Return the manifests and blobs of an image, the one to be tagged last: an index where platforms are several."""
    manifests, blobs, entries = [], [], []
    for platform in platforms:
        config = _json_blob(OCI_CONFIG, _config(created, labels, platform))
        manifest = _json_blob(
            OCI_MANIFEST, {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.descriptor(), "layers": []}
        )
        blobs.append(config)
        manifests.append(manifest)
        entries.append(manifest.descriptor(platform=_platform(platform)))
    if len(entries) > 1:
        manifests.append(_json_blob(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))
    return manifests, blobs


class EmbeddedRegistry:
    """A registry on loopback. Use it as an asynchronous context; *port* 0 takes a free one."""

    def __init__(self, port: int = 0) -> None:
        self._wanted_port = port
        self._shelves: dict[str, StoredImage] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def host(self) -> str:
        """Host and port, as they stand in image names."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on loopback."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._wanted_port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    def push(
        self,
        name: str,
        tag: str,
        *,
        created: datetime | None = None,
        labels: Mapping[str, str] = _NO_LABELS,
        platforms: tuple[Platform, ...] = _LINUX,
    ) -> Digest:
        """Put an image under *name* and *tag*, and give its digest; an old one of that tag stays under its digest."""
        manifests, blobs = build_image(created=created, labels=labels, platforms=platforms)
        shelf = self.shelf(name)
        shelf.blobs.update((blob.digest, blob) for blob in blobs)
        shelf.manifests.update((manifest.digest, manifest) for manifest in manifests)
        shelf.tags[tag] = manifests[-1].digest
        algorithm, _, encoded = manifests[-1].digest.partition(":")
        return Digest(algorithm=algorithm, encoded=encoded)

    def delete(self, name: str, tag: str) -> None:
        """Take a tag away; what it pointed at stays under its digest."""
        self._shelves[name].tags.pop(tag, None)

    def shelf(self, name: str) -> StoredImage:
        """Return what is held under *name*, new and empty if there is nothing yet."""
        return self._shelves.setdefault(name, StoredImage())

    def application(self) -> web.Application:
        """Return the web application."""
        application = web.Application()
        application.router.add_get("/v2/", _hello)
        application.router.add_get("/v2/{name:.+}/tags/list", self._tags)
        application.router.add_get("/v2/{name:.+}/{kind:manifests|blobs}/{reference}", self._content)
        return application

    async def _tags(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._shelves:
            return refuse(404, "NAME_UNKNOWN", "repository name not known to registry")
        tags = sorted(self._shelves[name].tags)
        last, size = request.query.get("last"), request.query.get("n")
        if last is not None:
            tags = [tag for tag in tags if tag > last]
        if size is None:
            return web.json_response({"name": name, "tags": tags})
        if not size.isascii() or not size.isdigit():
            return refuse(400, "PAGINATION_NUMBER_INVALID", "n is not a number")
        page = tags[: int(size)]
        headers = {}
        if 0 < len(page) < len(tags):
            headers["Link"] = f'</v2/{name}/tags/list?n={size}&last={page[-1]}>; rel="next"'
        return web.json_response({"name": name, "tags": page}, headers=headers)

    async def _content(self, request: web.Request) -> web.StreamResponse:
        shelf = self._shelves.get(request.match_info["name"], StoredImage())
        reference = request.match_info["reference"]
        if request.match_info["kind"] == "blobs":
            blob = shelf.blobs.get(reference)
            return (
                serve(request, blob, as_type="application/octet-stream") if blob else refuse(404, "BLOB_UNKNOWN", "blob unknown")
            )
        manifest = shelf.manifests.get(shelf.tags.get(reference, reference))
        return serve(request, manifest) if manifest else refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")


def refuse(status: int, code: str, message: str) -> web.Response:
    """Return an error as the specification words it."""
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)


def serve(request: web.Request, blob: Blob, *, as_type: str | None = None) -> web.Response:
    """Return a manifest or blob, or nothing but its headers to a HEAD."""
    headers = {"Docker-Content-Digest": blob.digest, "Content-Type": as_type or blob.media_type, "ETag": f'"{blob.digest}"'}
    if request.method == "HEAD":
        return web.Response(headers={**headers, "Content-Length": str(len(blob.body))})
    return web.Response(body=blob.body, headers=headers)


async def _hello(_request: web.Request) -> web.StreamResponse:
    return web.json_response({}, headers={"Docker-Distribution-API-Version": "registry/2.0"})


def _json_blob(media_type: str, content: Mapping[str, Any]) -> Blob:
    return Blob(media_type, json.dumps(content, separators=(",", ":"), sort_keys=True).encode())


def _config(created: datetime | None, labels: Mapping[str, str], platform: Platform) -> dict[str, Any]:
    config: dict[str, Any] = {**_platform(platform), "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    if labels:
        config["config"]["Labels"] = dict(labels)
    if created:
        config["created"] = created.isoformat()
    return config


def _platform(platform: Platform) -> dict[str, str]:
    named = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
    return {key: value for key, value in named.items() if value}
