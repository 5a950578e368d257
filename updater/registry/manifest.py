"""Read manifests, indexes and configurations: creation time, labels and platforms of an image.

Pure. `describing` is a generator: it yields the documents it wants and returns a `Description`.
Sources: OCI image specification (manifest, image-index, config, annotations), Docker image manifest
version 2 schema 2. Duplicate keys are read as the container runtimes read them: the last one counts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.errors import ImageSyntaxError, RegistryProtocolError
from updater.http.redaction import told
from updater.model.candidate import Description
from updater.model.image import Digest, Platform, normalise_platform, parse_digest
from updater.registry.shape import AnswerLimits

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
# The same full list on every request for a manifest: with a narrower one, registries give another digest for the same tag.
ACCEPT: Final = f"{OCI_INDEX}, {DOCKER_LIST}, {OCI_MANIFEST}, {DOCKER_MANIFEST}"
ACCEPT_ANY: Final = "*/*"  # of blobs: whatever type the registry, or the storage behind it, gives to bytes

_HASHES: Final = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
_MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_CONFIGS: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_GENERIC: Final = frozenset({"", "application/json", "application/octet-stream", "text/plain"})
_SCHEMA_ONE: Final = "application/vnd.docker.distribution.manifest.v1+"
_SCHEMA_TWO: Final = 2
_DEEPEST: Final = 3
_USUAL: Final = AnswerLimits()
# No settings: entries beyond the first ask no request more, larger inline content is asked for like any other, and labels are
# shown to people; what is left out of the last two is no error.
_MOST_EXTRA_DOCUMENTS: Final = 16
_LONGEST_INLINE: Final = 64 * 1024
_MOST_LABEL_BYTES: Final = 64 * 1024
_FIRST_CREDIBLE_YEAR: Final = 1990
_CREATED: Final = "org.opencontainers.image.created"
_LEGACY: Final = {
    "org.label-schema.build-date": _CREATED,
    "org.label-schema.vcs-ref": "org.opencontainers.image.revision",
    "org.label-schema.vcs-url": "org.opencontainers.image.source",
    "org.label-schema.version": "org.opencontainers.image.version",
}
_REFERENCE_TYPE: Final = "vnd.docker.reference.type"
_PREFERRED: Final = Platform(os="linux", architecture="amd64")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDocument:
    """A document that a description requires: a manifest, or a blob of known size."""

    digest: Digest
    is_blob: bool = False
    size: int | None = None


@dataclass(frozen=True, slots=True)
class ImageDocument:
    """The bytes of a document, verified by their digest, and their Content-Type.

    *secrets* is what the registry was shown to get it, which no error repeats.
    """

    body: bytes = field(repr=False)
    media_type: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def shown_type(self) -> str:
        """Return the media type that it came with, as it may be repeated."""
        return told(self.media_type.partition(";")[0], most=80, secrets=self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A reference in an index or manifest. *platform* is None if it is not specified."""

    digest: Digest
    media_type: str
    size: int | None = None
    platform: Platform | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageIndex:
    """Images of several platforms under one digest."""

    entries: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageManifest:
    """One image: where its configuration is."""

    config: Descriptor
    annotations: Mapping[str, str]


def check_digest(body: bytes, expected: Digest, *, what: str) -> None:
    """Prove *body* by its digest; raise `RegistryProtocolError`."""
    make = _HASHES.get(expected.algorithm)
    if make is None:
        raise RegistryProtocolError(
            f"{what}: digests by {expected.algorithm[:20]} cannot be checked here", hint="use sha256", code="digest-algorithm"
        )
    if make(body).hexdigest() != expected.encoded:
        raise RegistryProtocolError(
            f"{what}: what came back does not have the digest {expected}",
            hint="the registry or a proxy in between altered it; nothing of it is used",
            code="digest-mismatch",
        )


def decode_object(body: bytes, *, what: str, media_type: str = "", secrets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read a JSON object; raise `RegistryProtocolError`. Depth is bounded by the parser (1,024), size before it."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        kind = f", it is {told(media_type.partition(';')[0], most=60, secrets=secrets)}" if media_type else ""
        if "json" in media_type.lower():
            kind = ", although its type says so"
        hint = "check that the URL is a registry's: a login page or a proxy's error page is not an answer"
        raise RegistryProtocolError(f"{what}: the answer is not JSON{kind}", hint=hint, code="registry-not-json") from None
    if not isinstance(document, dict):
        raise _malformed(what, "it is not a JSON object")
    return document


def read_manifest(
    document: ImageDocument, *, what: str = "a manifest", limits: AnswerLimits = _USUAL
) -> ImageIndex | ImageManifest:
    """Read a manifest or index by its media type; raise `RegistryProtocolError`."""
    content = decode_object(document.body, what=what, media_type=document.media_type, secrets=document.secrets)
    is_index = _is_index(content, document, what)
    annotations = _texts(content.get("annotations"))
    if not is_index:
        config = content.get("config")
        return ImageManifest(config=_entry(config, what, limits), annotations=annotations)
    listed = content.get("manifests")
    if not isinstance(listed, list):
        raise _malformed(what, "its manifests are no list")
    if len(listed) > limits.index_entries:
        raise RegistryProtocolError(
            f"{what}: the index has {len(listed)} entries",
            hint=f"the limit is {limits.index_entries}: if the image has so many, raise registry_limits.index_entries",
            code="registry-too-large",
        )
    return ImageIndex(entries=tuple(_entry(item, what, limits) for item in listed if _is_image(item)), annotations=annotations)


def prove_manifest(document: ImageDocument, *, what: str, limits: AnswerLimits = _USUAL) -> None:
    """Prove that a document which no digest came with is a manifest or index; raise `RegistryProtocolError`.

    It calls itself one by its media type, or has the specification's schemaVersion: pages of proxies and lists of
    errors are JSON too, and would have a digest as good as any.
    """
    read_manifest(document, what=what, limits=limits)
    content = decode_object(document.body, what=what)
    kinds = {_plain_type(document.media_type), content.get("mediaType")}
    if content.get("schemaVersion") != _SCHEMA_TWO and not kinds & (_INDEXES | _MANIFESTS):
        raise _malformed(what, "it has neither a media type nor schemaVersion 2")


def read_platform(config: Mapping[str, Any]) -> Platform | None:
    """Return the platform that a configuration or an index entry names; None where it is unknown."""
    system, architecture, variant = (config.get(name) or "" for name in ("os", "architecture", "variant"))
    if not all(isinstance(part, str) for part in (system, architecture, variant)):
        return None
    if not system or not architecture or "unknown" in {system, architecture}:
        return None
    return normalise_platform(system, architecture, variant)


def read_time(text: object) -> datetime | None:
    """Read an RFC 3339 time; None where it is absent, unreadable, or a placeholder from before 1990."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= _FIRST_CREDIBLE_YEAR else None


def describing(digest: Digest, limits: AnswerLimits = _USUAL) -> Generator[WantedDocument, ImageDocument, Description]:
    """Yield what is needed to describe *digest*, and return the description; raise `RegistryProtocolError`.

    One image of an index stands for its dates and labels (linux/amd64, else the first): one build makes
    them all, and each further one would cost two requests.
    """
    top = read_manifest((yield WantedDocument(digest=digest)), what=str(digest), limits=limits)
    if isinstance(top, ImageManifest):
        return (yield from _describe_image(top))
    entries = yield from _images_below(top, limits)
    budget = _MOST_EXTRA_DOCUMENTS
    platforms: dict[Platform, None] = {}
    chosen = min(entries, key=lambda entry: entry.platform != _PREFERRED, default=None)
    described = Description()
    for entry in entries:
        if entry is not chosen and (entry.platform or budget <= 0):
            platforms.update({entry.platform: None} if entry.platform else {})
            continue
        budget -= 1
        child = read_manifest((yield WantedDocument(digest=entry.digest, size=entry.size)), what=str(entry.digest), limits=limits)
        found = (yield from _describe_image(child)) if isinstance(child, ImageManifest) else Description()
        described = found if entry is chosen else described
        platforms.update(dict.fromkeys((entry.platform,) if entry.platform else found.platforms))
    return Description(
        created=_annotated_time(top.annotations) or described.created,
        labels=_bounded({**described.labels, **top.annotations}),
        platforms=tuple(platforms),
    )


def _describe_image(image: ImageManifest) -> Generator[WantedDocument, ImageDocument, Description]:
    """Describe one image by its configuration; an artifact that only looks like an image has no platforms."""
    if image.config.media_type not in _CONFIGS:
        return Description(created=_annotated_time(image.annotations), labels=_bounded(image.annotations))
    what = f"the configuration {image.config.digest}"
    body = image.config.data
    if body is None:
        body = (yield WantedDocument(digest=image.config.digest, is_blob=True, size=image.config.size)).body
    config = decode_object(body, what=what)
    inner = config.get("config")
    labels = _texts(inner.get("Labels") if isinstance(inner, dict) else None)
    platform = read_platform(config)
    return Description(
        created=_annotated_time(image.annotations) or _later(_annotated_time(labels), read_time(config.get("created"))),
        labels=_bounded({**labels, **image.annotations}),
        platforms=(platform,) if platform else (),
    )


def _images_below(top: ImageIndex, limits: AnswerLimits) -> Generator[WantedDocument, ImageDocument, list[Descriptor]]:
    """Flatten nested indexes, each read once, to a bounded depth and number."""
    found: list[Descriptor] = []
    seen: set[Digest] = set()
    waiting = [(entry, 1) for entry in reversed(top.entries)]
    while waiting:
        entry, depth = waiting.pop()
        if entry.digest in seen:
            continue
        seen.add(entry.digest)
        if entry.media_type not in _INDEXES:
            found.append(entry)
        elif depth < _DEEPEST and len(seen) <= limits.index_entries:
            nested = read_manifest(
                (yield WantedDocument(digest=entry.digest, size=entry.size)), what=str(entry.digest), limits=limits
            )
            if isinstance(nested, ImageIndex):
                waiting += [(child, depth + 1) for child in reversed(nested.entries)]
        else:
            raise _malformed(str(entry.digest), f"indexes are nested deeper than {_DEEPEST}")
    return found


def _plain_type(header: str) -> str:
    """Return the media type of a Content-Type, without parameters."""
    return header.partition(";")[0].strip().lower()


def _is_index(content: dict[str, Any], document: ImageDocument, what: str) -> bool:
    """Decide what a document is; raise where its parts contradict each other (CVE-2021-41190)."""
    inner = content.get("mediaType")
    if inner is not None and not isinstance(inner, str):
        raise _malformed(what, "its mediaType is not text")
    declared = _plain_type(document.media_type)
    if declared in _GENERIC:
        declared = ""
    if declared and inner and declared != inner:
        called = told(inner, most=80, secrets=document.secrets)
        raise _malformed(what, f"it is sent as {document.shown_type} and calls itself {called}")
    kind = declared or inner or ""
    if kind.startswith(_SCHEMA_ONE) or (not kind and content.get("schemaVersion") == 1):
        hint = "it is the format of before 2017: push the image again with a current tool"
        raise RegistryProtocolError(f"{what}: Docker's manifest schema 1 is not read", hint=hint, code="manifest-schema")
    has_images, has_config = "manifests" in content, "config" in content or "layers" in content
    if has_images and has_config:
        raise _malformed(what, "it claims to be an index and an image at once")
    if kind and kind not in _INDEXES | _MANIFESTS:
        shown = document.shown_type if declared else told(kind, most=80, secrets=document.secrets)
        raise RegistryProtocolError(
            f"{what}: {shown} is not a kind of image", hint="check that the tag names an image", code="manifest-kind"
        )
    if not kind and not has_images and not has_config:
        raise _malformed(what, "it is neither an index nor an image")
    return kind in _INDEXES if kind else has_images


def _is_image(item: Any) -> bool:
    """Return whether an entry of an index is an image, not an attestation, signature or other artifact."""
    if not isinstance(item, dict) or item.get("artifactType"):
        return not isinstance(item, dict)  # what is no object is reported, not skipped
    if _texts(item.get("annotations")).get(_REFERENCE_TYPE):
        return False
    platform = item.get("platform")
    return not isinstance(platform, dict) or read_platform(platform) is not None


def _entry(item: Any, what: str, limits: AnswerLimits) -> Descriptor:
    if not isinstance(item, dict):
        raise _malformed(what, "an entry is not an object")
    size, media_type, platform = item.get("size"), item.get("mediaType"), item.get("platform")
    try:
        digest = parse_digest(item["digest"])
    except (KeyError, TypeError, ImageSyntaxError):
        raise _malformed(what, "an entry has no digest") from None
    if isinstance(size, int) and not 0 <= size <= limits.manifest_bytes:
        hint = f"the limit is {limits.manifest_bytes} bytes: if the image is meant to be so, raise registry_limits.manifest_bytes"
        raise RegistryProtocolError(f"{what}: {digest} has {size} bytes", hint=hint, code="registry-too-large")
    return Descriptor(
        digest=digest,
        media_type=media_type if isinstance(media_type, str) else "",
        size=size if isinstance(size, int) else None,
        platform=read_platform(platform) if isinstance(platform, dict) else None,
        data=_inline(item.get("data"), digest),
    )


def _inline(data: object, digest: Digest) -> bytes | None:
    """Return the content that a descriptor carries itself, if it is what its digest says."""
    if not isinstance(data, str) or len(data) > _LONGEST_INLINE:
        return None  # it is asked for like any other, and counted before it is parsed
    try:
        body = base64.b64decode(data, validate=True)
        check_digest(body, digest, what="inline data")
    except (binascii.Error, ValueError, RegistryProtocolError):
        return None
    return body


def _texts(value: Any) -> dict[str, str]:
    """Return the entries of an annotation or label map that are texts, with old names beside their new ones."""
    if not isinstance(value, dict):
        return {}
    texts = {key: text for key, text in value.items() if isinstance(text, str)}
    for old, new in _LEGACY.items():
        if old in texts:
            texts.setdefault(new, texts[old])
    return texts


def _bounded(labels: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    room = _MOST_LABEL_BYTES
    for key, value in labels.items():
        room -= len(key) + len(value)
        if room < 0:
            break
        kept[key] = value
    return kept


def _annotated_time(annotations: Mapping[str, str]) -> datetime | None:
    return read_time(annotations.get(_CREATED))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two times: labels are inherited from base images, and every error makes a date older."""
    return max((moment for moment in (one, other) if moment), default=None)


def _malformed(what: str, reason: str) -> RegistryProtocolError:
    return RegistryProtocolError(
        f"{what}: not a usable manifest: {reason}", hint="push the image again", code="manifest-malformed"
    )
