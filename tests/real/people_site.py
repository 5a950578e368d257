"""The page and the webhooks of a daemon beyond loopback: who signs in, what they do, who tells of pushes.

The address is loopback, written in a way that counts as one that others reach: so people have to sign in, and replicas
know each other's address.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import bcrypt

from tests.real.parts import free_port

if TYPE_CHECKING:
    from pathlib import Path

#: 127.0.0.1 to the C library, and no loopback to who reads it as an address
HOST: Final = "127.1"
PERSON: Final = "jane"
PASSWORD: Final = "correct horse"
HOOK: Final = "hook-secret-of-twenty-characters"
_TOKEN: Final = re.compile(r'name="form_token" value="([^"]+)"')


def web_settings(folder: Path) -> dict[str, Any]:
    """Return the part `web` of a configuration: a person who may act, a webhook, and a key that all replicas share."""
    secrets = {
        "htpasswd": f"{PERSON}:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n",
        "key": "k" * 64,
        "hook": HOOK,
    }
    for name, text in secrets.items():
        (folder / name).write_text(text)
    return {
        "users": f"file:{folder / 'htpasswd'}",
        "session_key": f"file:{folder / 'key'}",
        "roles": {"act": [PERSON]},
        "webhooks": [{"name": "ci", "kind": "generic", "secret": f"file:{folder / 'hook'}"}],
    }


@dataclass
class PeopleSite:
    """One replica's page and webhooks."""

    port: int = field(default_factory=free_port)  # known before the daemon starts

    @property
    def listen(self) -> str:
        return f"{HOST}:{self.port}"

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Return status and text of an answer; 0 where there is none."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, named)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def visit(self, key: str) -> str:
        """Return the page of a subscription as the person sees it."""
        status, text = self.ask(f"/subscriptions/{quote(key, safe='')}", Authorization=signed())
        return text if status == 200 else ""

    def act(self, key: str, act: str, **fields: str) -> str:
        """Fill in a form of the page of a subscription, and return what the person is answered; a refusal fails."""
        (token, *_) = _TOKEN.findall(self.visit(key)) or [""]
        named = {"form_token": token, "reason": "incident 4711", **{name.rstrip("_"): value for name, value in fields.items()}}
        path = f"/subscriptions/{quote(key, safe='')}/{act}"
        status, text = self.ask(path, urlencode(named).encode(), Authorization=signed())
        assert status == 200, (status, text)
        return text

    def tell(self, image: str) -> tuple[int, str]:
        """Tell of a pushed image by the webhook."""
        body = json.dumps({"image": image}).encode()
        return self.ask("/webhooks/ci", body, X_Webhook_Secret=HOOK, Content_Type="application/json")


def signed() -> str:
    """Return the header by which the person signs in."""
    return aiohttp.encode_basic_auth(PERSON, PASSWORD)
