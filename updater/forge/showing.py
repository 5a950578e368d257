"""How each forge is shown a token: the Authorization header of its API."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from updater.forge.base import ForgeAccess

#: what Bitbucket's own documents tell people to give Git as user beside an access token
_NO_USER: Final = frozenset({"", "x-token-auth", "x-bitbucket-api-token-auth", "x-access-token"})
_JWT: Final = re.compile(r"ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def bearer(access: ForgeAccess) -> str:
    """Return what GitHub and GitLab read: personal, project and installation tokens alike."""
    return f"Bearer {access.token}"


def gitea_token(access: ForgeAccess) -> str:
    """Return what Gitea reads: its access tokens, and those of OAuth where the user said so."""
    return f"Bearer {access.token}" if access.is_bearer else f"token {access.token}"


def user_or_bearer(access: ForgeAccess) -> str:
    """Return what Bitbucket reads: a password or API token of a user, or an access token without user."""
    if access.is_bearer or access.username in _NO_USER:
        return f"Bearer {access.token}"
    return _basic(access.username, access.token)


def personal_or_bearer(access: ForgeAccess) -> str:
    """Return what Azure DevOps reads: a personal access token as a password without user, or a token of Microsoft Entra."""
    if access.is_bearer or _JWT.fullmatch(access.token):
        return f"Bearer {access.token}"
    return _basic("", access.token)


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
