"""The ConfigMap `argocd-image-updater-config`: every key that the peer ever read from it, and what answers it here.

Source: the peer's Deployment manifests from 0.1 to 1.3, which hand each key to the program as a variable or a file. Its
readers are followed where they are lenient (any case, blank is absent). Where they fall back in silence there is a problem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from updater.argocd.request.subscriptions import PEER_AUTHOR
from updater.errors import ConfigError, UpdaterError
from updater.model.problem import Problem
from updater.registry.endpoints import RegistryTable
from updater.settings.checks import check_template
from updater.settings.fields import nearest
from updater.settings.overlay import is_said, lay_below
from updater.settings.registries_conf import entries_of_file
from updater.settings.tree import Level, LogFormat
from updater.settings.values import read_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.registry.endpoints import RegistryEntry
    from updater.settings.overlay import Path
    from updater.settings.tree import Settings

REGISTRIES: Final = "registries.conf"
TEMPLATE: Final = "git.commit-message-template"
_LEVELS: Final = {
    "trace": Level.DEBUG,
    "debug": Level.DEBUG,
    "info": Level.INFO,
    "warn": Level.WARNING,
    "error": Level.ERROR,
}
_FORMATS: Final = {"text": LogFormat.CONSOLE, "json": LogFormat.JSON}
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PLACE_IN_TEMPLATE: Final = re.compile(r"\w+:(\d+):\d+: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """What the ConfigMap comes to: settings that hold where the user's own files say nothing.

    *overlay* is by the path of the setting. With *is_broken* the registries cannot be read: images would be asked for
    at other registries than was meant, so what was read before stays in force, and without it nothing is scanned.
    """

    overlay: Mapping[Path, object] = field(default_factory=dict)
    registries: tuple[RegistryEntry, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_broken: bool = False


def read_peer_settings(
    data: Mapping[str, str], *, origin: str, try_message: Callable[[str], object] = check_template
) -> PeerSettings:
    """Read the *data* of the ConfigMap that *origin* names; never raises: what is wrong ends its own key alone.

    *try_message* raises `TemplateError` for a template that cannot make a message. A problem's path is its key.
    """
    overlay: dict[Path, object] = {}
    problems: list[Problem] = []
    registries: tuple[RegistryEntry, ...] = ()
    for key in sorted(data):
        try:
            text = _text(key, data[key])
            if text and key == REGISTRIES:
                registries, flaws = _registries(text)
                problems += flaws
            elif text and key == TEMPLATE:
                try_message(text)
                overlay["git", "message"] = text
            elif text and (mapped := _KEYS[key].read(text.strip())) is not None:
                overlay[_KEYS[key].place] = mapped
        except UpdaterError as error:
            problems.append(_problem(key, error))
    return PeerSettings(
        overlay=overlay,
        registries=registries,
        problems=tuple(replace(problem, origin=origin) for problem in problems),
        is_broken=any(problem.path == REGISTRIES for problem in problems),
    )


def overlaid(settings: Settings, peer: PeerSettings) -> Settings:
    """Return *settings*, as the files and the environment made them, with what *peer* says besides."""
    return lay_below(settings, peer.overlay, peer.registries)


def with_author(settings: Settings) -> Settings:
    """Return *settings* with the peer's default author where neither the files nor the ConfigMap name one.

    It holds for the peer's objects alone: whoever writes a file of our own is asked for the author.
    """
    return lay_below(settings, {("git", "author", name): getattr(PEER_AUTHOR, name) for name in ("name", "email")})


def open_problems(settings: Settings, peer: PeerSettings) -> tuple[Problem, ...]:
    """Return the problems of *peer* that still matter: of a key whose setting the files hold, nobody needs to hear."""
    return tuple(
        problem
        for problem in peer.problems
        if not ((known := _KEYS.get(problem.path)) and known.place and is_said(settings, known.place))
    )


def _text(key: str, value: object) -> str:
    """Return the text of a known key; empty where it says nothing."""
    if key not in _KEYS:
        near = nearest(key, list(_KEYS))
        hint = near if near.startswith("did") else "take it out: neither that program nor this one reads it"
        raise ConfigError("this key is not known", hint=hint, code="unknown-key")
    if not isinstance(value, str):
        raise ConfigError("expected text", hint="put it in quotes", code="wrong-type")
    return value if value.strip() else ""


def _registries(text: str) -> tuple[tuple[RegistryEntry, ...], tuple[Problem, ...]]:
    entries, problems = entries_of_file(REGISTRIES, text.encode())
    # two spellings of one prefix are seen only by the table itself
    RegistryTable(entries)
    return entries, problems


def _problem(key: str, error: UpdaterError) -> Problem:
    found = _PLACE_IN_TEMPLATE.match(error.message) if key == TEMPLATE else None
    line, message = (int(found[1]), error.message[found.end() :]) if found else (None, error.message)
    return Problem(path=key, line=line, code=error.code, message=message, hint=error.hint)


def _word(known: Mapping[str, object]) -> Callable[[str], object]:
    """Make the reader of one of a few words, in any case; the word itself is not repeated, it may be anything."""

    def read(text: str) -> object:
        if text.lower() not in known:
            message = f"{', '.join(known)} are known here"
            raise ConfigError(message, hint=nearest(text.lower(), list(known)), code="bad-value")
        return known[text.lower()]

    return read


def _line(text: str) -> str:
    return " ".join(text.split())


def _namespaces(text: str) -> tuple[str, ...]:
    """Read a list with commas; ``*`` is all of them."""
    names = tuple(dict.fromkeys(name for name in (part.strip() for part in text.split(",")) if name))
    if names == ("*",):
        return ()
    if not names or not all(map(_NAMESPACE.fullmatch, names)):
        raise ConfigError("this is not a list of namespaces", hint="write argocd,team-a, or * for all", code="bad-value")
    return names


def _namespace(text: str) -> str:
    if not _NAMESPACE.fullmatch(text):
        raise ConfigError("this is not a namespace", hint="write its name, such as argocd", code="bad-value")
    return text


def _silent(_: str) -> None:
    """Take what nobody needs to hear of: it has no counterpart, and nothing is missed without it."""


def _unless(word: str, message: str, *, hint: str, code: str) -> Callable[[str], None]:
    """Make the reader of what is answered by a sentence, unless it says *word*."""

    def read(text: str) -> None:
        if text.lower() != word:
            raise ConfigError(message, hint=hint, code=code)

    return read


@dataclass(frozen=True, slots=True)
class _Key:
    """The reader of one key, which gives None where nothing is set by it, and the setting that it becomes."""

    read: Callable[[str], object] = _silent
    place: Path = ()


_BOOLEAN: Final = _word({"true": True, "false": False})
_KEYS: Final[Mapping[str, _Key]] = {
    # the two that are files are read where the loop meets them
    REGISTRIES: _Key(),
    TEMPLATE: _Key(place=("git", "message")),
    "interval": _Key(read_duration, ("interval",)),
    "log.level": _Key(_word(_LEVELS), ("log", "level")),
    "log.format": _Key(_word(_FORMATS), ("log", "format")),
    "git.user": _Key(_line, ("git", "author", "name")),
    "git.email": _Key(_line, ("git", "author", "email")),
    "git.commit-sign-off": _Key(_BOOLEAN, ("git", "sign_off")),
    "git.commit-signing-key": _Key(
        _unless(
            "",
            "the key lies in the pod of Argo CD Image Updater, so commits are not signed by it",
            hint="name the key by git.signing: {key: 'secret:namespace/name#field'}, with method: gpg for an OpenPGP key",
            code="peer-setting",
        ),
        ("git", "signing"),
    ),
    "git.commit-signing-method": _Key(),
    "git.commit-method": _Key(
        _unless(
            "git",
            "commits are not made through the API of a forge in this version; they are pushed by Git",
            hint="write git; git.signing signs commits",
            code="not-yet",
        )
    ),
    # the variable behind it turns Events off, whatever the name of the key says
    "kube.events": _Key(
        _word({"true": False, "false": True}),
        ("sources", "applications", "events"),
    ),
    "argocd.namespace": _Key(_namespace, ("sources", "applications", "argocd_namespace")),
    "watch.namespaces": _Key(_namespaces, ("sources", "applications", "namespaces")),
    "applications_api": _Key(
        _unless(
            "kubernetes",
            "Applications are read from the Kubernetes API alone, not from the API of Argo CD",
            hint="write kubernetes, and let the service account read Applications",
            code="peer-setting",
        )
    ),
    "webhook.enable": _Key(
        _unless(
            "false",
            "events of registries are not received in this version; registries are asked every interval",
            hint="write false",
            code="not-yet",
        )
    ),
    **dict.fromkeys(
        (
            *("max_concurrent_apps", "max_concurrent_reconciles"),
            *("argocd.grpc_web", "argocd.insecure", "argocd.plaintext", "argocd.server_addr", "argocd.token"),
            *("disable-tls", "tls.ciphers", "tls.max-version", "tls.min-version"),
            *("webhook.port", "webhook.require-secret", "webhook.ratelimit-allowed"),
            *("webhook.docker-secret", "webhook.ghcr-secret", "webhook.quay-secret", "webhook.harbor-secret"),
            *("webhook.acr-secret", "webhook.aliyun-acr-secret", "webhook.cloudevents-secret"),
        ),
        _Key(),
    ),
}
