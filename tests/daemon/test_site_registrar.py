"""The key of sessions is that which stands in its file now, and the last one that could be read."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import bcrypt
import pytest

from updater.credentials.keychain import Keychain
from updater.daemon.process import Process
from updater.daemon.site_registrar import SiteRegistrar
from updater.errors import UpdaterError
from updater.settings.web import WebSettings


async def test_another_key_in_the_file_is_taken_up_and_a_file_that_is_gone_or_too_short_changes_nothing(tmp_path):
    path = tmp_path / "key"
    settings = SimpleNamespace(web=WebSettings(session_key=f"file:{path}"))
    async with Process(tmp_path / "state") as process:
        registrar = SiteRegistrar(process, lambda: SimpleNamespace(loaded=SimpleNamespace(settings=settings)), is_local=True)
        with pytest.raises(UpdaterError):
            await registrar.signer()
        for text in ("a" * 32, "b" * 32):
            path.write_text(text)
            async with asyncio.timeout(60):
                while await key_of(registrar) != text.encode():  # noqa: ASYNC110 - a state, not an event
                    await asyncio.sleep(0.1)
        for spoil in (lambda: path.write_text("short"), path.unlink):
            spoil()
            make_old(registrar._key)
            assert await key_of(registrar) == b"b" * 32


async def test_while_the_cluster_does_not_answer_the_key_and_the_users_that_are_known_count(tmp_path):
    """What it answers in the end counts then; without a key that is known, who asks waits."""
    secrets, answers = {"key": b"a" * 32, "users": b"jane:" + bcrypt.hashpw(b"x", bcrypt.gensalt(4))}, asyncio.Event()
    reads = Counter()

    async def read_secret(_namespace, name):
        reads[name] += 1
        await answers.wait()
        return {"it": secrets[name]}

    web = WebSettings(session_key="secret:n/key#it", users="secret:n/users#it")
    settings = SimpleNamespace(web=web)
    async with Process(tmp_path / "state") as process:
        process.keychain = Keychain(environment={}, read_secret=read_secret)
        registrar = SiteRegistrar(process, lambda: SimpleNamespace(loaded=SimpleNamespace(settings=settings)), is_local=False)
        first = [asyncio.create_task(registrar.signer()), asyncio.create_task(registrar.users())]
        assert not (await asyncio.wait(first, timeout=0.05))[0]
        answers.set()
        assert ((await first[0]).key, set((await first[1]).hashes)) == (b"a" * 32, {"jane"})
        answers.clear()
        secrets["key"], secrets["users"] = b"b" * 32, b""
        for value in (registrar._key, registrar._users):
            make_old(value)
        async with asyncio.timeout(60):
            found = await asyncio.gather(*(registrar.signer() for _ in range(20)), *(registrar.users() for _ in range(20)))
            assert ({item.key for item in found[:20]}, {len(item.hashes) for item in found[20:]}) == ({b"a" * 32}, {1})
            assert reads == {"key": 2, "users": 2}
            answers.set()
            while await key_of(registrar) != b"b" * 32 or (await registrar.users()).hashes:  # noqa: ASYNC110 - a state, not an event
                await asyncio.sleep(0.01)


def make_old(value):
    value._known = replace(value._known, read_at=-1000.0)


async def key_of(registrar):
    try:
        return (await registrar.signer()).key
    except UpdaterError:
        return b""
