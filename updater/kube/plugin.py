"""Credential plug-ins of a kubeconfig, and how long their output is valid.

https://kubernetes.io/docs/reference/config-api/client-authentication.v1/; v1beta1 has the same shape.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.credentials.program import Programs
from updater.errors import ConfigError, KubeDenied
from updater.http.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.kube.kubeconfig import ConfigEntry

VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
TIME_LIMIT: Final = 60.0  # cloud providers' programs ask servers far away


class ExecPlugin:
    """One program, as named by the user *entry*. *cluster* is the cluster information for programs that require it.

    *environment* is that of this process; *wall* gives seconds since 1970. Raises `ConfigError` where it cannot be used.
    """

    def __init__(
        self, entry: ConfigEntry, cluster: Mapping[str, Any], *, environment: Mapping[str, str], wall: Callable[[], float]
    ) -> None:
        self._entry = entry
        self._values = _checked(entry)
        self._environment = {**environment, **_variables(entry, self._values), "KUBERNETES_EXEC_INFO": self._info(cluster)}
        self._wall = wall
        self._known: tuple[str, str] | None = None
        self._ends: float | None = None
        self._flights = SingleFlight()

    async def credential(self) -> tuple[str, str]:
        """Return token, and certificates with key as PEM; one of them may be "". Raise `KubeDenied`."""
        return await self._flights.share("credential", self._current)

    def expire(self) -> None:
        """Ask the program again next time: the server refused what it gave."""
        self._known = None

    async def _current(self) -> tuple[str, str]:
        if self._known is None or (self._ends is not None and self._wall() >= self._ends):
            self._known, self._ends = self._read(await self._output())
        return self._known

    async def _output(self) -> bytes:
        command = str(self._values["command"])
        try:
            programs = Programs(self._environment, time_limit=TIME_LIMIT)
            status, text = await programs.run((self._path_of(command), *(self._values.get("args") or ())))
        except ConfigError as error:
            raise self._failed(error.message) from error
        if status != 0:
            raise self._failed(f"{command} ended with status {status}")
        return text.encode()

    def _path_of(self, command: str) -> str:
        if os.path.dirname(command):  # noqa: PTH120 - a name without a folder is looked for in PATH
            return os.path.abspath(self._entry.file.parent / command)  # noqa: PTH100 - programs look at the name they are run by
        path = shutil.which(command, path=self._environment.get("PATH"))
        if path is None:
            raise self._failed(f"{command} is not in PATH")
        return str(Path(path).absolute())

    def _info(self, cluster: Mapping[str, Any]) -> str:
        spec: dict[str, Any] = {"interactive": False}
        if self._values.get("provideClusterInfo"):
            spec["cluster"] = dict(cluster)
        return orjson.dumps({"apiVersion": self._values["apiVersion"], "kind": "ExecCredential", "spec": spec}).decode()

    def _read(self, output: bytes) -> tuple[tuple[str, str], float | None]:
        try:
            found = orjson.loads(output)
            status = found["status"]
            kind, version = found["kind"], found["apiVersion"]
            token, certificate, key = (status.get(name) or "" for name in ("token", "clientCertificateData", "clientKeyData"))
            pem = f"{certificate.rstrip()}\n{key.rstrip()}\n" if certificate and key else ""
            ends = _moment(status.get("expirationTimestamp"))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._failed("it printed no ExecCredential") from None
        if kind != "ExecCredential" or version != self._values["apiVersion"]:
            raise self._failed(f"asked for an ExecCredential of {self._values['apiVersion']}, it printed {version} {kind}")
        if not isinstance(token, str) or not (token or pem) or bool(certificate) != bool(key):
            raise self._failed("it printed neither a token nor a certificate with its key")
        return (token, pem), ends

    def _failed(self, reason: str) -> KubeDenied:
        entry = self._entry
        hint = str(self._values.get("installHint") or "").strip() or "run it by hand as the same user; it cannot ask anybody"
        return KubeDenied(f"{entry.file}: the program of user {entry.name!r}: {reason}", hint=hint, code="kube-login")


def _checked(entry: ConfigEntry) -> dict[str, Any]:
    values = entry.values["exec"]
    if not isinstance(values, dict) or not isinstance(values.get("command"), str) or not values["command"]:
        raise entry.wrong("exec names no command")
    if values.get("apiVersion") not in VERSIONS:
        hint = f"one of {', '.join(VERSIONS)}; a newer version of the program may write it"
        raise entry.wrong(f"exec has the apiVersion {values.get('apiVersion')!r}", hint=hint)
    if not _are_texts(values.get("args") or []):
        raise entry.wrong("args of exec are no list of texts")
    if values.get("interactiveMode") == "Always":
        raise entry.wrong("its program must prompt at a terminal", hint="use a service account's token here")
    return values


def _variables(entry: ConfigEntry, values: Mapping[str, Any]) -> dict[str, str]:
    given = values.get("env") or []
    if not isinstance(given, list) or not all(isinstance(item, dict) and _are_texts(_pair(item)) for item in given):
        raise entry.wrong("env of exec is not a list of name and value")
    return {item["name"]: item["value"] for item in given}


def _pair(item: Mapping[str, Any]) -> list[Any]:
    return [item.get("name"), item.get("value")]


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _moment(text: object) -> float | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError("no time")
    return datetime.fromisoformat(text).timestamp()
