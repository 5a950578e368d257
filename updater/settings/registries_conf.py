"""The registries.conf of Argo CD Image Updater: its keys, its defaults, and the settings that they become.

Source: that program's registry configuration reference. Its YAML is strict: an unknown key is an error there, and here.
``tagsortmode`` and ``ping`` are checked and change nothing: a list of tags is never trusted to be sorted, and nothing is pinged.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from updater.documents import Dialect, as_error, read_yaml
from updater.errors import ConfigError, ImageSyntaxError, UpdaterError
from updater.model.image import parse_name
from updater.model.problem import Problem
from updater.registry.endpoints import RegistryEntry, normalise_prefix
from updater.settings import fields, values
from updater.settings.node import Node
from updater.settings.problems import in_order, problem_at, problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.documents import Documents, Mark

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def _certificates(value: object) -> str:
    text = value if isinstance(value, str) else ""
    try:
        found = [ssl.PEM_cert_to_DER_cert(part) for part in _CERTIFICATE.findall(text)]
    except ValueError:
        found = []
    if not found:
        hint = "paste all of it, from -----BEGIN CERTIFICATE-----, after ca_data: |"
        raise fields.flawed(((), "certificate", "this is not a PEM certificate", hint))
    return text


def _lifetime(value: object) -> float:
    try:
        return values.read_duration(value if isinstance(value, str) else "")
    except UpdaterError as error:
        raise fields.flawed(fields.flaw_of(error)) from None


class ForeignRegistry(Node):
    """One entry, with the keys that the peer knows."""

    name: fields.Text
    """What people call it."""
    api_url: fields.RegistryUrl
    """Where it is asked."""
    prefix: fields.Text | None = None
    """The registry of the images it holds for; without it the host of api_url."""
    default: bool = False
    """Whether it holds for images that name no registry."""
    defaultns: str | None = None
    """Prefix of names with one component."""
    credentials: fields.Credentials | None = None
    """Where the credentials are found."""
    credsexpire: Annotated[float, fields.read_by(_lifetime, type="string")] | None = None
    """How long credentials stay in use."""
    limit: int | None = None
    """The most requests a second."""
    tagsortmode: Literal["", "none", "latest-first", "latest-last"] = ""
    """How the registry sorts its tags."""
    insecure: bool = False
    """Whether certificates are not verified."""
    ca_file: fields.Text | None = None
    """A PEM file of certificate authorities."""
    ca_data: Annotated[str, fields.read_by(_certificates, type="string")] | None = None
    """Certificate authorities themselves, PEM."""
    ping: bool | None = None
    """Whether to ask /v2/ first."""

    def entry(self) -> RegistryEntry:
        """Return this entry as the registry room takes it; plain HTTP is fine where api_url says so."""
        host = urlsplit(self.api_url).netloc
        return RegistryEntry(
            prefix=normalise_prefix(self.prefix or host),
            url=self.api_url,
            insecure=self.insecure or self.api_url.startswith("http://"),
            rate=float(self.limit) if self.limit and self.limit > 0 else None,
            ca=self.ca_data or self.ca_file,
            credentials=self.credentials,
            credentials_lifetime=self.credsexpire,
            default_namespace=self.defaultns or None,
            is_default=self.default,
        )


class ForeignRegistries(Node):
    """The whole of a registries.conf."""

    registries: tuple[ForeignRegistry, ...] = ()
    """The entries."""


def is_registries_conf(value: object) -> bool:
    """Return whether *value* is a document of this form: nothing but registries, one of which has an api_url."""
    if not isinstance(value, dict) or set(value) != {"registries"} or not isinstance(value["registries"], list):
        return False
    return any(isinstance(entry, dict) and "api_url" in entry for entry in value["registries"])


def read_registries_conf(path: str, data: bytes) -> tuple[RegistryEntry, ...]:
    """Read the bytes of a registries.conf; raise `ConfigError` with every problem of it."""
    found = read_yaml(path, data, dialect=Dialect.MANIFEST)
    problems = list(found.problems)
    entries: tuple[RegistryEntry, ...] = ()
    if not found.is_broken:
        entries, more = _entries(path, found)
        problems += more
    if problems:
        raise as_error(in_order(problems))
    return entries


def _entries(path: str, found: Documents) -> tuple[tuple[RegistryEntry, ...], list[Problem]]:
    if all(document.value in (None, {"registries": None}) for document in found.documents):
        return (), []
    if len(found.documents) != 1 or not isinstance(found.documents[0].value, dict):
        hint = "write registries: and a list of entries with name and api_url"
        return (), [Problem(path=path, line=1, code="wrong-type", message="this is not a registries.conf", hint=hint)]
    value, mark = found.documents[0].value, found.documents[0].mark
    problems = list(_contradictions(value.get("registries"), mark))
    try:
        tree = ForeignRegistries.model_validate(value)
    except ValidationError as error:
        return (), problems + problems_of(error, mark, ForeignRegistries)
    return tuple(entry.entry() for entry in tree.registries), problems


def _contradictions(entries: Any, mark: Mark) -> Iterator[Problem]:
    """Return where two entries claim the same: one prefix, no prefix, or to be the default."""
    seen: dict[str, str] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, dict):
            continue
        name = str(entry.get("name"))
        prefix = entry.get("prefix")
        claims = ["default" if entry.get("default") is True else "", f"prefix {prefix}" if prefix else "no prefix"]
        for claim in filter(None, claims):
            if claim in seen:
                place = ("registries", index, claim.partition(" ")[0])
                hint = f"{seen[claim]} already is; keep one of them"
                yield problem_at(mark, place, "registry-entry", f"{name} cannot have {claim}: another entry has it", hint)
            seen.setdefault(claim, name)


def remarks_on(path: str, data: bytes) -> tuple[Problem, ...]:
    """Return what is worth a look in a file without problems: entries that hold for other images than somebody may think."""
    found = read_yaml(path, data, dialect=Dialect.MANIFEST)
    value = found.documents[0].value if found.documents else None
    entries = value.get("registries") if isinstance(value, dict) else None
    remarks: list[Problem] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        prefix = normalise_prefix(entry.get("prefix") or "") if isinstance(entry, dict) else ""
        host, _, _ = prefix.partition("/")
        api = normalise_prefix(urlsplit(str(entry.get("api_url"))).netloc) if prefix else ""
        if not prefix or host == api:
            continue
        place = ("registries", index, "prefix")
        message = f"{host} is not the host of api_url, {api}: this entry applies to images whose names begin with {prefix}/"
        hint = f"right for a mirror; if the images are named {api}/…, write prefix: {api}"
        if not _begins_names(host):
            message = f"{host} is not a registry host, so no image's name begins with it: the entry has no effect"
            hint = f"write the host that the names of the images begin with, such as {api}"
        remarks.append(problem_at(found.documents[0].mark, place, "registry-prefix", message, hint))
    return tuple(remarks)


def _begins_names(host: str) -> bool:
    """Return whether the name of an image that begins with *host* names it as its registry."""
    try:
        return parse_name(f"{host}/image").registry == host
    except ImageSyntaxError:
        return False


def entries_of_file(path: str, data: bytes) -> tuple[tuple[RegistryEntry, ...], tuple[Problem, ...]]:
    """Read as `read_registries_conf` does; return the problems instead of raising them."""
    try:
        return read_registries_conf(path, data), ()
    except ConfigError as error:
        return (), error.problems
