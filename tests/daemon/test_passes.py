"""A person who names a subscription is given it, or is told what was probably meant."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.engine.making import subscription
from updater.daemon.passes import chosen
from updater.errors import ConfigError


@pytest.mark.parametrize(("key", "meant"), [("web", "argocd/shop/web"), ("argocd/shop/wab", "argocd/shop/web")])
def test_the_last_part_of_a_key_or_a_slip_in_it_is_answered_with_the_whole_one(key, meant):
    generation = SimpleNamespace(subscriptions=(subscription("argocd/shop/web"), subscription("argocd/api/api")))
    with pytest.raises(ConfigError) as caught:
        chosen(generation, key)
    assert (caught.value.code, caught.value.hint) == ("unknown-key", f"did you mean {meant!r}?")
