"""The key of sessions is that which stands in its file now, and the last one that could be read."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

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
            registrar._key = (*registrar._key[:1], -1000.0, *registrar._key[2:])  # it was read long ago
            assert await key_of(registrar) == b"b" * 32


async def key_of(registrar):
    try:
        return (await registrar.signer()).key
    except UpdaterError:
        return b""
