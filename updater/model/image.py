"""The grammar of image references: one parser for every reference in every room.

Grammar: https://pkg.go.dev/github.com/distribution/reference and the OCI distribution
specification, "Pulling manifests". A first part is a registry host only if it is ``localhost``,
holds a ``.`` or a ``:``, or an upper-case letter; otherwise the image is on Docker Hub.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from updater.errors import ImageSyntaxError

DOCKER_HUB: Final = "docker.io"
MAX_NAME_LENGTH: Final = 255

_HUB_SPELLINGS: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_LABEL: Final = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_DIGEST: Final = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+")
_REGISTERED: Final = {
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "sha512": re.compile(r"[0-9a-f]{128}"),
    "blake3": re.compile(r"[0-9a-f]{64}"),
}
_FOLDED_ARCHITECTURES: Final = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_GRAMMAR_HINT: Final = "an image reference is [registry/]path[:tag][@digest], for example ghcr.io/myorg/app:1.2.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """Registry host and path, without tag and digest.

    *registry* and *path* are normalised (``nginx`` is ``docker.io`` and ``library/nginx``) and decide
    equality; *spelled* is the name as a person wrote it, and is what gets written.
    """

    registry: str
    path: str
    spelled: str = field(compare=False)

    def __str__(self) -> str:
        return self.spelled

    @property
    def canonical(self) -> str:
        """The normalised name, ``docker.io/library/nginx``."""
        return f"{self.registry}/{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """An algorithm and its encoded sum, ``sha256:…`` (OCI image specification, descriptors)."""

    algorithm: str
    encoded: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """An image name with tag, digest, both or neither."""

    name: ImageName
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Operating system, architecture and variant, with the usual names folded (``x86_64`` is ``amd64``)."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def accepts(self, offered: Platform) -> bool:
        """Return whether an image for *offered* serves one who asked for this platform.

        A platform without variant accepts every variant; with one, only that variant.
        """
        same = (self.os, self.architecture) == (offered.os, offered.architecture)
        return same and (not self.variant or self.variant == offered.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasedImage:
    """One entry of an `image-list`: ``[alias=]image[:constraint]``."""

    alias: str | None
    image: ImageName
    constraint: str | None
    digest: Digest | None = None


def is_tag(text: str) -> bool:
    """Return whether *text* is a tag by the OCI grammar."""
    return _TAG.fullmatch(text) is not None


def parse_digest(text: str) -> Digest:
    """Read ``algorithm:encoded``; registered algorithms must have their exact length.

    Raises `ImageSyntaxError`.
    """
    if not _DIGEST.fullmatch(text):
        raise ImageSyntaxError(f"{text!r} is not a digest", hint="a digest looks like sha256: and 64 hexadecimal digits")
    algorithm, _, encoded = text.partition(":")
    registered = _REGISTERED.get(algorithm)
    if registered and not registered.fullmatch(encoded):
        raise ImageSyntaxError(
            f"{text!r} is not a {algorithm} digest",
            hint=f"{algorithm} wants {128 if algorithm == 'sha512' else 64} lower-case hexadecimal digits",
        )
    return Digest(algorithm=algorithm, encoded=encoded)


@lru_cache(maxsize=8192)
def parse_name(text: str) -> ImageName:
    """Read an image name without tag and digest.

    Raises `ImageSyntaxError`, with its own hint where a tag, a scheme or only upper case is in the way.
    """
    ref = parse_ref(text)
    if ref.tag or ref.digest:
        raise ImageSyntaxError(f"{text!r} has a tag or digest where only a name is expected", hint=f"write {ref.name}")
    return ref.name


@lru_cache(maxsize=8192)
def parse_ref(text: str) -> ImageRef:
    """Read ``[registry/]path[:tag][@digest]``.

    Raises `ImageSyntaxError`.
    """
    if "://" in text:
        raise ImageSyntaxError(f"{text!r} has a URL scheme", hint=f"leave it out: {text.partition('://')[2]}")
    name_and_tag, at, digest_text = text.partition("@")
    spelled, tag = _split_tag(name_and_tag)
    if tag is not None and not _TAG.fullmatch(tag):
        raise ImageSyntaxError(f"{tag!r} in {text!r} is not a tag", hint="a tag has letters, digits, '_', '.', '-', at most 128")
    return ImageRef(name=_name(spelled, text), tag=tag, digest=parse_digest(digest_text) if at else None)


def parse_platform(text: str) -> Platform:
    """Read ``os/architecture[/variant]``.

    Raises `ImageSyntaxError`.
    """
    parts = text.split("/")
    if len(parts) not in {2, 3} or not all(re.fullmatch(r"[A-Za-z0-9._-]+", part) for part in parts):
        raise ImageSyntaxError(
            f"{text!r} is not a platform", hint="a platform is os/architecture[/variant], for example linux/arm64"
        )
    return normalise_platform(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def normalise_platform(system: str, architecture: str, variant: str = "") -> Platform:
    """Fold the usual spellings of a platform into one (containerd's rules)."""
    architecture, variant = architecture.lower(), variant.lower()
    if architecture in _FOLDED_ARCHITECTURES:
        architecture, implied = _FOLDED_ARCHITECTURES[architecture]
        variant = variant or implied
    if (architecture, variant) in {("arm64", "v8"), ("arm64", "8"), ("amd64", "v1")}:
        variant = ""
    if architecture == "arm" and variant in {"5", "6", "7", "8"}:
        variant = f"v{variant}"
    return Platform(os=system.lower(), architecture=architecture, variant=variant)


def parse_aliased(text: str) -> AliasedImage:
    """Read one `image-list` entry, ``[alias=]image[:constraint]``.

    The constraint may hold any operator (``>=1.0``, ``~1.2 || ^3``), and a registry may have a port and
    no dot. An alias is what stands before an ``=`` that no ``:`` constraint has begun before.
    Raises `ImageSyntaxError`.
    """
    stripped = text.strip()
    alias, rest = _split_alias(stripped)
    if not rest:
        raise ImageSyntaxError(f"{stripped!r} names no image", hint="write [alias=]image[:constraint]")
    spelled, constraint = _split_constraint(rest)
    digest: Digest | None = None
    if "@" in spelled:
        spelled, _, digest_text = spelled.partition("@")
        digest = parse_digest(digest_text)
    elif constraint and "@" in constraint:
        constraint, _, digest_text = constraint.partition("@")
        digest = parse_digest(digest_text)
    return AliasedImage(alias=alias, image=_name(spelled, stripped), constraint=constraint or None, digest=digest)


def _split_alias(text: str) -> tuple[str | None, str]:
    before, equals, after = text.partition("=")
    if not equals:
        return None, text
    # `nginx:>=1.0` and `localhost:5000/foo:=1` hold an `=` of the constraint: what stands before it ends
    # in an operator, or has the form image:constraint. An alias may itself look like an image
    # (`ghcr.io:4567/x=y`), so a colon alone decides nothing.
    if before.endswith((">", "<", "!", "~", ":")) or after.startswith((">", "<", "=")):
        return None, text
    if re.search(r"[\s,|^~><!*]", before):
        return None, text
    return before.strip(), after.strip()


def _split_constraint(text: str) -> tuple[str, str | None]:
    """Cut at the colon that begins the constraint: the first one behind the path that can be one."""
    for position, char in enumerate(text):
        if char == "@":
            return text, None
        if char == ":" and not _is_port(text, position):
            return text[:position], text[position + 1 :]
    return text, None


def _is_port(text: str, colon: int) -> bool:
    if "[" in text[: colon + 1] and "]" not in text[:colon]:
        return True  # inside an IPv6 address
    digits, slash, path = text[colon + 1 :].partition("/")
    return bool(slash) and digits.isdigit() and "/" not in text[:colon] and bool(path)


def _split_tag(text: str) -> tuple[str, str | None]:
    slash, colon = text.rfind("/"), text.rfind(":")
    if colon > slash:
        return text[:colon], text[colon + 1 :]
    return text, None


def _name(spelled: str, whole: str) -> ImageName:
    first, slash, rest = spelled.partition("/")
    is_host = bool(slash) and (first == "localhost" or "." in first or ":" in first or first != first.lower())
    registry, path = (first, rest) if is_host else (DOCKER_HUB, spelled)
    if is_host and not _HOST.fullmatch(first):
        raise ImageSyntaxError(f"{first!r} in {whole!r} is not a registry host", hint=_GRAMMAR_HINT)
    registry = registry.lower()
    if registry in _HUB_SPELLINGS:
        registry = DOCKER_HUB
        path = path if "/" in path else f"library/{path}"
    _check_path(path, spelled, whole)
    return ImageName(registry=registry, path=path, spelled=spelled)


def _check_path(path: str, spelled: str, whole: str) -> None:
    if all(_COMPONENT.fullmatch(part) for part in path.split("/")):
        if len(path) > MAX_NAME_LENGTH:
            raise ImageSyntaxError(f"the name in {whole[:80]!r}… is longer than {MAX_NAME_LENGTH} characters", hint=_GRAMMAR_HINT)
        if "/" not in spelled and re.fullmatch(r"[0-9a-f]{64}", spelled):
            raise ImageSyntaxError(f"{whole!r} is an image id, not a name", hint=_GRAMMAR_HINT)
        return
    if all(_COMPONENT.fullmatch(part) for part in path.lower().split("/")):
        raise ImageSyntaxError(f"{whole!r} has upper-case letters in its path", hint=f"write {whole.lower()}")
    raise ImageSyntaxError(f"{whole!r} is not an image reference", hint=_GRAMMAR_HINT)
