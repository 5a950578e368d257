"""Read kubeconfig files: merge several files, and return the cluster and user of a context.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/. Of clusters, users and contexts with one
name the first file's counts, whole. Relative paths start at the folder of the file that holds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.documents import load_yaml, read_bytes
from updater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LISTS: Final = {"clusters": "cluster", "users": "user", "contexts": "context"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigEntry:
    """A cluster, user or context: its content, and the file that contains it."""

    what: str
    name: str
    values: Mapping[str, Any]
    file: Path

    def text(self, key: str) -> str:
        """Return a text, "" where it is absent; raise `ConfigError`."""
        value = self.values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(f"{key} is not text")
        return value

    def flag(self, key: str) -> bool:
        """Return a boolean, False where it is absent; raise `ConfigError`."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{key} is neither true nor false")
        return value

    def path(self, key: str) -> Path | None:
        """Return a path, None where it is absent; raise `ConfigError`."""
        text = self.text(key)
        return self.file.parent / text if text else None

    def wrong(self, reason: str, *, hint: str = "correct it there; `kubectl config view` shows what counts") -> ConfigError:
        """Make the error that names this entry."""
        return ConfigError(f"{self.file}: {self.what} {self.name!r}: {reason}", hint=hint, code="kubeconfig", path=str(self.file))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextChoice:
    """The content of one context."""

    cluster: ConfigEntry
    user: ConfigEntry | None
    namespace: str


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    values: Mapping[str, Any]


def choose(paths: Sequence[Path], context: str = "", *, may_miss: bool = False) -> ContextChoice:
    """Return what *context*, else the current one, says in the files *paths*; with *may_miss* some may be absent.

    Raises `ConfigError`, code ``kubeconfig`` or that of the file's text.
    """
    files = [_File(path, _values(path)) for path in paths if not may_miss or path.exists()]
    if not files:
        raise _wrong(paths, "there is no such file", "set KUBECONFIG to the path of a kubeconfig, or run inside the cluster")
    name = context or next((str(file.values["current-context"]) for file in files if file.values.get("current-context")), "")
    if not name:
        raise _wrong(paths, "current-context is not set", "`kubectl config use-context NAME` sets it")
    chosen = _named(files, "contexts", name)
    cluster = _named(files, "clusters", chosen.text("cluster"))
    user = _named(files, "users", chosen.text("user")) if chosen.text("user") else None
    return ContextChoice(cluster=cluster, user=user, namespace=chosen.text("namespace") or "default")


def _values(path: Path) -> Mapping[str, Any]:
    documents = load_yaml(str(path), read_bytes(path))
    values: Any = next((document.value for document in documents if document.value is not None), {})
    if not isinstance(values, dict):
        raise _wrong([path], "it is not a kubeconfig", "it starts with `apiVersion: v1` and `kind: Config`")
    return values


def _named(files: Sequence[_File], where: str, name: str) -> ConfigEntry:
    what = _LISTS[where]
    known: list[str] = []
    for file in files:
        entries = file.values.get(where) or []
        if not isinstance(entries, list):
            raise _wrong([file.path], f"{where} is not a list", "each entry of it has `name` and `" + what + "`")
        for entry in entries:
            found = str(entry.get("name", "")) if isinstance(entry, dict) else ""
            if found == name:
                values = entry.get(what) or {}
                if not isinstance(values, dict):
                    raise _wrong([file.path], f"the {what} {name!r} is not a map", "`kubectl config view` shows what counts")
                return ConfigEntry(what=what, name=name, values=values, file=file.path)
            known.append(found)
    hint = f"it has: {', '.join(sorted(filter(None, known))) or 'none'}"
    raise _wrong([file.path for file in files], f"there is no {what} {name!r}", hint)


def _wrong(paths: Sequence[Path], reason: str, hint: str) -> ConfigError:
    place = ", ".join(map(str, paths))
    return ConfigError(f"{place}: {reason}", hint=hint, code="kubeconfig", path=place)
