"""How a Git repository is reached by what Argo CD knows of it: its Secrets, its certificates, its host keys.

Everything is read from the API server, remembered for a minute, and read anew after a refusal by the Git server. Certificates
and host keys are verified; only a `repository` Secret, or the Secret that a destination names, turns that off for itself.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from updater.argocd import repository_secrets as secrets
from updater.credentials.github_app import USER
from updater.credentials.secret_cache import MOST_REMEMBERED, SecretCache
from updater.errors import ConfigError, KubeDenied, KubeGone
from updater.git.access import GitAccess, parse_address
from updater.kube.client import ListScope
from updater.kube.kinds import CONFIG_MAP, SECRET, Ref
from updater.model.credential import Credential

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.credentials.github_app import App, InstallationTokens
    from updater.git.access import GitAddress
    from updater.kube.client import KubeClient

CERTIFICATES: Final = "argocd-tls-certs-cm"
HOST_KEYS: Final = "argocd-ssh-known-hosts-cm"
HOST_KEYS_FIELD: Final = "ssh_known_hosts"


class Repositories:
    """Returns the way to Git repositories. *namespace* is that of Argo CD; one for a process, many tasks may ask.

    *tokens* gives the tokens of GitHub Apps. *report* is told once what is wrong with a Secret, in a sentence without secrets.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        *,
        tokens: InstallationTokens,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._tokens = tokens
        self._report = report
        self._memory = SecretCache(clock)
        self._trust = ServerTrust(client, namespace, self._memory, lambda sentence: self._tell((sentence,)))
        self._reported: set[str] = set()

    async def access(self, url: str) -> GitAccess | None:
        """Return what *url* is reached with: by its `repository` Secret, else by `repo-creds`; None where Argo CD knows nothing.

        Raises `ConfigError` for a Secret that cannot be used, `KubeError` where one cannot be read, `GitError` for no URL, and
        what the token of a GitHub App raises.
        """
        address = parse_address(url)
        if address.scheme == "file":
            return None
        given = secrets.choose(await self._known(), url)
        login = secrets.login(given, address) if given else secrets.GitLogin(access=GitAccess())
        access = await self._completed(login, address)
        if given:
            return replace(access, origin=f"Secret {given.place}")
        return access if access != GitAccess() else None

    async def of_secret(self, namespace: str, name: str, url: str) -> GitAccess:
        """Return what the Secret *name* holds for *url*: `sshPrivateKey`, a GitHub App's fields, or `username` and `password`.

        Raises as `access` does, and `ConfigError` naming Secret and field where one is missing.
        """
        address = parse_address(url)
        if address.scheme == "file":
            message = f"{namespace}/{name}: {url} is a local path, and needs no Secret"
            raise ConfigError(message, hint="write an https or ssh URL, or git without a Secret", code="credential-secret")
        given = await self._named(namespace, name)
        has_app = any(given.fields.get(field) for field in secrets.APP_FIELDS)
        if address.scheme == "ssh":
            secrets.require(given, ["sshPrivateKey"])
        elif has_app:
            secrets.require(given, secrets.APP_FIELDS)
        elif not given.fields.get("bearerToken"):
            secrets.require(given, ["username", "password"])
        return await self._completed(secrets.login(given, address), address)

    def expire(self) -> None:
        """Read everything anew when it is next asked for: a Git server refused what was given.

        What was read in the last five seconds stands that long, so that many refusals at one time are one reading.
        """
        self._memory.expire()
        self._tokens.expire()

    async def _completed(self, login: secrets.GitLogin, address: GitAddress) -> GitAccess:
        """Add what the server is recognised by, and the token of a GitHub App."""
        access = login.access
        if address.scheme == "ssh":
            access = replace(access, known_hosts=_bytes(await self._trust.host_keys()))
        elif address.scheme == "https":
            access = replace(access, ca=_bytes(await self._trust.authority(address.host)))
        if login.app is None:
            return access
        token = await self._token(login.app)
        return replace(access, credential=Credential(username=USER, password=token))

    async def _token(self, app: App) -> str:
        authority = await self._trust.authority(app.host)
        return await self._tokens.token(replace(app, connection=replace(app.connection, authority=authority)))

    async def _known(self) -> tuple[secrets.RepositorySecret, ...]:
        found: tuple[secrets.RepositorySecret, ...] = await self._memory.get("secrets", self._read_known)
        return found

    async def _read_known(self) -> tuple[secrets.RepositorySecret, ...]:
        scope = ListScope(namespace=self._namespace, labels=secrets.SELECTOR)
        items = await _allowed(self._client.list(SECRET, scope), f"list of secrets in the namespace {self._namespace}")
        found, remarks = secrets.read_secrets(items)
        self._tell(remarks)
        return found

    async def _named(self, namespace: str, name: str) -> secrets.SecretFields:
        ref = Ref(SECRET, namespace, name)
        given: secrets.SecretFields = await self._memory.get(ref, lambda: self._read_named(namespace, name))
        return given

    async def _read_named(self, namespace: str, name: str) -> secrets.SecretFields:
        place = f"{namespace}/{name}"
        right = f"get of the Secret {name} in the namespace {namespace}"
        try:
            data = await _allowed(self._client.read_secret(namespace, name), right)
        except KubeGone as error:
            hint = "make it, or write git alone to use the repository credentials of Argo CD"
            raise secrets.flawed(place, "it does not exist", hint=hint) from error
        given = secrets.read_fields(place, data, is_decoded=True)
        self._tell(given.remarks)
        return given

    def _tell(self, remarks: tuple[str, ...]) -> None:
        for sentence in remarks:
            if sentence not in self._reported and len(self._reported) < MOST_REMEMBERED:
                self._reported.add(sentence)
                self._report(sentence)


class ServerTrust:
    """By what Argo CD recognises servers: authorities by host, and SSH host keys. *tell* is told what may not be read."""

    def __init__(self, client: KubeClient, namespace: str, memory: SecretCache, tell: Callable[[str], None]) -> None:
        self._client = client
        self._namespace = namespace
        self._memory = memory
        self._tell = tell

    async def authority(self, host: str) -> str | None:
        """Return the PEM texts that vouch for *host*, None where none are kept for it."""
        return (await self._config_map(CERTIFICATES)).get(host.lower()) or None

    async def host_keys(self) -> str | None:
        """Return the lines of known hosts, None where there are none."""
        keys = (await self._config_map(HOST_KEYS)).get(HOST_KEYS_FIELD, "")
        return keys if keys.strip() else None

    async def _config_map(self, name: str) -> Mapping[str, str]:
        ref = Ref(CONFIG_MAP, self._namespace, name)
        found: Mapping[str, str] = await self._memory.get(ref, lambda: self._read(ref))
        return found

    async def _read(self, ref: Ref) -> Mapping[str, str]:
        try:
            found = await self._client.get(ref)
        except KubeGone:  # an Argo CD without such entries may lack it
            return {}
        except KubeDenied as error:  # verification stays on, and most servers need none of it
            self._tell(f"{error.message}; what Argo CD trusts does not count here without the right to get it")
            return {}
        data = found.get("data")
        return {name: text for name, text in data.items() if isinstance(text, str)} if isinstance(data, dict) else {}


async def _allowed(reading: Awaitable[Any], right: str) -> Any:
    try:
        return await reading
    except KubeDenied as error:
        hint = f"{error.hint}; it needs the right: {right}; or give the repository credentials under git.repositories"
        raise KubeDenied(error.message, hint=hint, code=error.code) from error


def _bytes(text: str | None) -> bytes | None:
    return text.encode() if text else None
