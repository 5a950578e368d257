"""A bad release is held for a person as long as a place says it: another build under the same tag is another image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.making import SHA, reading, subscription, view
from tests.engine.test_reverting import NAME, OURS, past
from updater.engine.bad_releases import bad_hold
from updater.model.image import parse_ref
from updater.model.release import BadRelease, DeliveryOptions, OnBad

OTHER_BUILD = "sha256:" + "c" * 64


@pytest.mark.parametrize(
    ("image", "written", "is_held"),
    [
        (f"{NAME}:1.1.0", f"{NAME}:1.1.0", True),
        (f"{NAME}:1.1.0@{SHA}", f"{NAME}:1.1.0", True),
        (f"{NAME}:1.1.0@{SHA}", f"{NAME}:1.1.0@{SHA}", True),
        (f"{NAME}:1.1.0@{SHA}", f"{NAME}:1.1.0@{OTHER_BUILD}", False),
        (f"{NAME}:1.1.0", f"{NAME}:1.0.0", False),
    ],
)
def test_a_person_who_writes_something_else_over_a_bad_release_ends_the_hold(image, written, is_held):
    item = replace(subscription(), delivery=DeliveryOptions(on_bad=OnBad.HOLD))
    seen = replace(view(reading(written)), recent=(past(),))
    bad = BadRelease(revision=OURS, image=parse_ref(image), reason="it crashes")
    assert (bad_hold(seen, item, lambda _key: bad, 0.0) is not None) is is_held
