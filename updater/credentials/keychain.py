"""The current value of a `CredentialRef`, and how long it is cached.

A variable is read each time, a file when it changed, a program or Secret when its lifetime is over or a
registry refused what it gave. Without a reference the docker and podman files of this user count.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.credentials.docker_config import DockerConfig, parse_docker_config, parse_secret_text
from updater.credentials.program import Programs
from updater.errors import ConfigError
from updater.http.single_flight import SingleFlight
from updater.model.credential import Credential
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef

DEFAULT_LIFETIME: Final = 10 * 60.0
RENEWED_AT_MOST_EVERY: Final = 10.0
MOST_BYTES: Final = 1024 * 1024  # as much as a Secret may hold, so no setting


@dataclass(frozen=True, slots=True)
class _Known:
    content: DockerConfig | Credential
    read_at: float
    good_until: float
    stamp: tuple[int, ...]


class Keychain:
    """Resolve references. One per process, shared by many tasks.

    *read_secret* gives the data of a Kubernetes Secret by namespace and name; None where there is no cluster.
    *docker_configs* are the files that count without a reference; None is where docker and podman keep them. A single
    path is one that somebody named: it must be there.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        read_secret: Callable[[str, str], Awaitable[Mapping[str, bytes]]] | None = None,
        programs: Programs | None = None,
        docker_configs: Sequence[Path] | Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.environment = os.environ if environment is None else environment
        self._read_secret = read_secret
        self._programs = programs or Programs(self.environment)
        self._is_named = isinstance(docker_configs, Path)
        if isinstance(docker_configs, Path):
            docker_configs = (docker_configs,)
        self._files = usual_files(self.environment) if docker_configs is None else tuple(docker_configs)
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._flights = SingleFlight()

    async def resolve(
        self, ref: CredentialRef | None, image: ImageName, *, server: ImageName | None = None, lifetime: float | None = None
    ) -> tuple[Credential, ...]:
        """Return the credentials to try for *image*, in turn; none means anonymous, which only *ref* None can mean.

        *server* is the image by the name that it has where it is really asked, such as a mirror: entries for it count
        where there is none for *image*. *lifetime* is in seconds: how long the answer of a program or Secret is believed.
        Raises `ConfigError` where the reference leads nowhere or holds nothing for the image, and whatever the reader of
        Secrets raises.
        """
        names = (image,) if server is None else (image, server)
        if ref is None:
            return await self._of_this_user(names) if self._files else ()
        content = await self._content(ref, lifetime or DEFAULT_LIFETIME)
        if isinstance(content, Credential):
            return (replace(content, origin=place_of(ref)),)
        found = await self._in_config(content, names)
        if not found:
            self.renew(ref)  # who adds the entry need not wait until the lifetime is over
            raise self._without_entry(ref, content, image)
        return tuple(replace(item, origin=place_of(ref)) for item in found)

    async def text(self, ref: CredentialRef) -> str:
        """Return what stands behind *ref* as it is, without a line end: a Git token, a key. Raise `ConfigError`."""
        return (await self._flights.share(("text", str(ref)), lambda: self._read(ref))).strip("\r\n")

    def renew(self, ref: CredentialRef | None) -> bool:
        """Forget what was read for *ref* after a refusal; say whether reading again could give something else.

        False where it was read a moment ago: a thousand refusals run a program once.
        """
        known = self._known.get(str(ref))
        if ref is None or known is None or self._clock() - known.read_at < RENEWED_AT_MOST_EVERY:
            return False
        del self._known[str(ref)]
        return True

    async def _content(self, ref: CredentialRef, lifetime: float) -> DockerConfig | Credential:
        key = str(ref)
        if ref.kind == "env":
            return _parsed(ref, await self._read(ref))
        stamp = _stamp(Path(ref.value)) if ref.kind == "file" else ()
        known = self._known.get(key)
        now = self._clock()
        if known and known.stamp == stamp and (stamp or now < known.good_until):
            return known.content
        text = await self._flights.share(key, lambda: self._read(ref))
        content = _parsed(ref, text)
        self._known[key] = _Known(content, self._clock(), self._clock() + lifetime, stamp)
        return content

    async def _read(self, ref: CredentialRef) -> str:
        if ref.kind == "env":
            return self._variable(ref.value)
        if ref.kind == "file":
            return _file_text(Path(ref.value))
        if ref.kind == "ext":
            return await self._programs.output(ref.value)
        if ref.kind in {"secret", "pullsecret"}:
            return await self._secret_text(ref)
        raise ConfigError(
            f"credentials of the kind {ref.kind}: cannot be read yet",
            hint="use ext: with a program that prints user:password, or a pull secret that is kept fresh",
            code="credential-unsupported",
        )

    def _variable(self, name: str) -> str:
        value = self.environment.get(name)
        if not value:
            hint = f"set {name} to user:password, or to a token for a Git server or forge"
            raise ConfigError(f"the variable {name} is not set", hint=hint, code="credential-missing")
        return value

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Return the data of a Secret as it is now; raise `ConfigError` where there is no cluster, and `KubeError`."""
        if self._read_secret is None:
            raise ConfigError(
                f"secret:{namespace}/{name} needs a Kubernetes cluster, and none is configured",
                hint="use env:, file: or ext: outside a cluster",
                code="credential-secret",
            )
        return await self._read_secret(namespace, name)

    async def _secret_text(self, ref: CredentialRef) -> str:
        place, _, wanted = ref.value.partition("#")
        namespace, _, name = place.partition("/")
        data = await self.secret(namespace, name)
        fields = (wanted,) if ref.kind == "secret" else (".dockerconfigjson", ".dockercfg")
        found = next((data[key] for key in fields if key in data), None)
        if found is None:
            raise ConfigError(
                f"the Secret {place} has no field {' or '.join(fields)}",
                hint=f"its fields are: {', '.join(sorted(data)) or 'none'}",
                code="credential-secret",
            )
        return _decoded(found, str(ref))

    def _without_entry(self, ref: CredentialRef, config: DockerConfig, image: ImageName) -> ConfigError:
        """Make the error for a configuration that was named and does not know the registry: nobody asked for anonymous access."""
        helper = config.helper(image)
        program = f"docker-credential-{helper[0]}" if helper else ""
        knows_none = f", and {program} has none" if program and self._programs.helpers_allowed else ""
        known = ", ".join(config.hosts) or "no registry"
        hint = f"it has entries for: {known}; add one, or remove the reference to ask anonymously"
        if program and not self._programs.helpers_allowed:
            hint = f"it leaves this to {program}: set credential_helpers: true to let it run, or add an entry"
        return ConfigError(
            f"no entry for {image.registry} in {place_of(ref)}{knows_none}", hint=hint, code="credential-entry", path=str(ref)
        )

    async def _of_this_user(self, names: Sequence[ImageName]) -> tuple[Credential, ...]:
        found: dict[Credential, None] = {}
        for path in self._files:
            stamp = _stamp(path)
            if not stamp and not self._is_named:
                continue
            known = self._known.get(str(path))
            if known is None or known.stamp != stamp:
                known = _Known(parse_docker_config(_file_text(path), place=str(path)), self._clock(), 0.0, stamp)
                self._known[str(path)] = known
            if isinstance(known.content, DockerConfig):
                as_podman = path.name == "auth.json"
                mine = await self._in_config(known.content, names, as_podman=as_podman)
                found.update(dict.fromkeys(replace(item, origin=str(path)) for item in mine if item not in found))
        return tuple(found)

    async def _in_config(
        self, config: DockerConfig, names: Sequence[ImageName], *, as_podman: bool = False
    ) -> tuple[Credential, ...]:
        """Return what *config* has for the first of *names* that it knows."""
        for name in names:
            plain = config.matches(name, as_podman=as_podman)
            helper = config.helper(name)
            answer = await self._flights.share(helper, partial(self._ask_helper, *helper)) if helper else None
            if answer or plain:
                return (*((answer,) if answer else ()), *plain)
        return ()

    async def _ask_helper(self, suffix: str, server: str) -> Credential | None:
        key = f"helper {suffix} {server}"
        known = self._known.get(key)
        if known and self._clock() < known.good_until and isinstance(known.content, Credential):
            return known.content
        credential = await self._programs.ask_helper(suffix, server)
        if credential:
            self._known[key] = _Known(credential, self._clock(), self._clock() + DEFAULT_LIFETIME, ())
        return credential


def usual_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files in which docker and podman keep this user's credentials, in the order they count."""
    home = environment.get("HOME", "")
    candidates = [
        Path(environment["DOCKER_CONFIG"], "config.json") if environment.get("DOCKER_CONFIG") else None,
        Path(home, ".docker", "config.json") if home and not environment.get("DOCKER_CONFIG") else None,
        Path(environment["REGISTRY_AUTH_FILE"]) if environment.get("REGISTRY_AUTH_FILE") else None,
        Path(environment["XDG_RUNTIME_DIR"], "containers", "auth.json") if environment.get("XDG_RUNTIME_DIR") else None,
        Path(home, ".config", "containers", "auth.json") if home else None,
    ]
    return tuple(dict.fromkeys(path for path in candidates if path))


def place_of(ref: CredentialRef) -> str:
    """Return the words for where a reference leads."""
    if ref.kind in {"secret", "pullsecret"}:
        return f"Secret {ref.value.partition('#')[0]}"
    return {"env": f"the variable {ref.value}", "ext": f"what {ref.value} prints"}.get(ref.kind, ref.value)


def _parsed(ref: CredentialRef, text: str) -> DockerConfig | Credential:
    return parse_secret_text(text, place=str(ref))


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what changes with a file's content; empty where there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _file_text(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{path} is not a plain file", hint="name a file", code="credential-missing", path=str(path))
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        hint = "check the path, the mount and the rights of this user"
        raise ConfigError(f"{path} cannot be read: {reason}", hint=hint, code="credential-missing", path=str(path)) from error
    if len(content) > MOST_BYTES:
        raise ConfigError(
            f"{path} is too large for a credential", hint="name another file", code="credential-format", path=str(path)
        )
    return _decoded(content, str(path))


def _decoded(content: bytes, place: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{place} holds no text", hint="it must be UTF-8", code="credential-format", path=place) from None
