"""A person who names a subscription is given it, or is told what was probably meant."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.engine.making import subscription
from updater.daemon.one_shot import asked_for, chosen
from updater.errors import ConfigError
from updater.model.outcome import Outcome, Status


@pytest.mark.parametrize(("key", "meant"), [("web", "argocd/shop/web"), ("argocd/shop/wab", "argocd/shop/web")])
def test_the_last_part_of_a_key_or_a_slip_in_it_is_answered_with_the_whole_one(key, meant):
    generation = SimpleNamespace(subscriptions=(subscription("argocd/shop/web"), subscription("argocd/api/api")))
    with pytest.raises(ConfigError) as caught:
        chosen(generation, key)
    assert (caught.value.code, caught.value.hint) == ("unknown-key", f"did you mean {meant!r}?")


def test_an_application_is_all_of_its_images_also_those_that_are_not_kept_current():
    refused = Outcome(key="argocd/shop/db", target="Application argocd/shop", status=Status.HELD, detail="it does not run")
    kept = (subscription("argocd/shop/web"), subscription("argocd/shop/api"), subscription("argocd/shop-2/web"))
    generation = SimpleNamespace(subscriptions=kept, runner=SimpleNamespace(refused=(refused,)))
    assert asked_for(generation, "argocd/shop") == (kept[:2], (refused,))
    assert asked_for(generation, "argocd/shop/db") == ((), (refused,))
    with pytest.raises(ConfigError):
        asked_for(generation, "argocd")
