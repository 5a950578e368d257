"""What the Secrets of a GitRepository say of the way to its server: which keys count, and which contradict each other.

Source: the API of source.toolkit.fluxcd.io/v1, ``secretRef``, ``proxySecretRef`` and ``provider`` of GitRepository. Keys are
read as Flux reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.credentials.github_app import API, USER, App
from updater.errors import ConfigError
from updater.flux.connection_secrets import certificates_in, proxy_in
from updater.git.access import GitAccess, parse_address
from updater.model.credential import FORGE_TOKEN, Credential, read_token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.credentials.github_app import InstallationTokens
    from updater.flux.secret_reader import SecretContent
    from updater.git.access import GitAddress

APP_KEYS: Final = ("githubAppID", "githubAppPrivateKey")
INSTALLATION: Final = "githubAppInstallationID"
OWNER: Final = "githubAppInstallationOwner"
GITHUB: Final = "github"
_CLOUDS: Final = ("aws", "azure", "gcp")
_PROXIES: Final = ("http", "https", "socks5")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretLogin:
    """What a Git server is shown. With *app* the credential is a token that is still to be had."""

    access: GitAccess
    app: App | None = None

    async def completed(self, tokens: InstallationTokens) -> GitAccess:
        """Return the access with the token of the App; raise what `InstallationTokens.token` raises."""
        if self.app is None:
            return self.access
        return replace(self.access, credential=Credential(username=USER, password=await tokens.token(self.app)))


def read_login(
    url: str, secret: SecretContent | None, *, proxy: SecretContent | None = None, provider: str = "generic"
) -> SecretLogin:
    """Return what the server of *url* is shown by the Secret of a GitRepository, through the *proxy* of another one.

    Raises `ConfigError`: ``credential-secret`` naming Secret and key where one is missing or contradicts another,
    ``credential-unsupported`` for the providers of clouds; `GitError` ``git-url``.
    """
    address = parse_address(url)
    if provider in _CLOUDS:
        hint = "use a Secret with a token or a deploy key, and provider: generic"
        raise ConfigError(f"the provider {provider} is not supported yet", hint=hint, code="credential-unsupported")
    through = proxy_in(proxy, schemes=_PROXIES) if proxy else None
    token = secret.text(FORGE_TOKEN).strip() if secret else ""
    access = GitAccess(
        proxy=through, origin=f"Secret {secret.place}" if secret else "", forge=read_token(token) if token else None
    )
    if address.scheme == "ssh":
        return SecretLogin(access=_by_key(secret, access, address))
    if secret is None:
        if provider == GITHUB:
            hint = f"name a Secret with {', '.join(APP_KEYS)} and {INSTALLATION} or {OWNER}"
            raise ConfigError("the provider github needs a secretRef", hint=hint, code="credential-secret")
        shown = Credential(username=address.username, password=address.password) if address.password else None
        return SecretLogin(access=replace(access, credential=shown, origin="the URL of the GitRepository" if shown else ""))
    found = certificates_in(secret)
    access = replace(access, ca=found.ca.encode() or None, client_certificate=found.client.encode() or None)
    is_app = any(secret.text(name) for name in (*APP_KEYS, INSTALLATION, OWNER))
    if provider == GITHUB:
        return SecretLogin(access=access, app=_app(secret, access))
    if is_app:
        message = f"it has the keys of a GitHub App, and the provider is {provider}"
        raise secret.flawed(message, hint="set provider: github in the GitRepository, or remove the keys")
    return SecretLogin(access=replace(access, credential=_shown(secret, address)))


def _by_key(secret: SecretContent | None, access: GitAccess, address: GitAddress) -> GitAccess:
    """Return *access* by a private key, which SSH always needs together with the host keys."""
    if secret is None:
        message = f"{address} is reached by SSH, which needs a secretRef"
        raise ConfigError(message, hint="name a Secret with the keys identity and known_hosts", code="credential-secret")
    _require(secret, ("identity", "known_hosts"), why=f", which {address.scheme}:// needs")
    username = secret.text("username")
    app = _app(secret, access) if any(secret.text(name) for name in APP_KEYS) else None
    return replace(
        access,
        forge=access.forge or app,
        private_key=f"{secret.text('identity')}\n".encode(),
        passphrase=secret.text("password"),
        known_hosts=f"{secret.text('known_hosts')}\n".encode(),
        credential=Credential(username=username) if username else None,
    )


def _shown(secret: SecretContent, address: GitAddress) -> Credential | None:
    """Return user name and password or a bearer token; what the Secret does not have of a pair comes from the URL."""
    given, bearer = (secret.text("username"), secret.text("password")), secret.text("bearerToken")
    username, password = given[0] or address.username, given[1] or address.password
    if bearer and (given[1] or given[0]):
        message = "it has bearerToken beside username and password"
        raise secret.flawed(message, hint="keep one of them: basic authentication and a bearer token exclude each other")
    if bearer:
        return Credential(registry_token=bearer)
    if password and not username:
        raise secret.flawed("it has a password and no key username", hint="add the key username; with a token any name will do")
    return Credential(username=username, password=password) if username else None


def _app(secret: SecretContent, access: GitAccess) -> App:
    """Read a GitHub App, whose installation has a number or the name of its owner."""
    _require(secret, APP_KEYS, why=", which the provider github needs")
    installation, owner = secret.text(INSTALLATION).strip(), secret.text(OWNER).strip()
    if not installation and not owner:
        raise secret.flawed(f"it has neither {INSTALLATION} nor {OWNER}", hint="add one of them")
    if access.proxy and access.proxy.startswith("socks5"):
        message = f"the Secret {secret.place}: the token of a GitHub App cannot be requested through a SOCKS proxy"
        raise ConfigError(message, hint="use an HTTP proxy, or a Secret with a token", code="credential-unsupported")
    return App(
        identity=secret.text("githubAppID").strip(),
        installation=installation,
        owner="" if installation else owner,
        private_key=secret.text("githubAppPrivateKey"),
        base_url=secret.text("githubAppBaseURL").strip() or API,
        connection=access.connection(),
    )


def _require(secret: SecretContent, keys: Iterable[str], *, why: str) -> None:
    """Raise `ConfigError` for the first of *keys* that has no value; *why* says who needs it."""
    for key in keys:
        if not secret.text(key):
            raise secret.flawed(f"it has no key {key}{why}")
