"""When a written value is an image: by the digests where both have one, else by the tags."""

from __future__ import annotations

import pytest

from updater.model.image import parse_ref
from updater.model.written import Written, says

NAME = "ghcr.io/o/app"
BAD, OTHER = (f"sha256:{letter * 64}" for letter in "bc")


@pytest.mark.parametrize(
    ("tag", "digest", "image", "is_said"),
    [
        ("1.0.0", None, f"{NAME}:1.0.0", True),
        ("1.0.0", None, f"{NAME}:1.0.0@{BAD}", True),
        ("1.0.1", None, f"{NAME}:1.0.0@{BAD}", False),
        ("latest", BAD, f"{NAME}:latest@{BAD}", True),
        ("latest", OTHER, f"{NAME}:latest@{BAD}", False),
        ("stable", BAD, f"{NAME}:latest@{BAD}", True),
        (None, BAD, f"{NAME}@{BAD}", True),
        (None, OTHER, f"{NAME}@{BAD}", False),
        (None, None, f"{NAME}:1.0.0@{BAD}", False),
    ],
)
def test_a_written_value_is_an_image_by_its_digest_else_by_its_tag(tag, digest, image, is_said):
    for if_unknown in (False, True):
        assert says(Written(tag=tag, digest=digest), parse_ref(image), if_unknown=if_unknown) is is_said


@pytest.mark.parametrize("if_unknown", [False, True])
def test_whether_a_digest_alone_is_an_image_without_one_is_for_the_caller_to_say(if_unknown):
    assert says(Written(digest=BAD), parse_ref(f"{NAME}:1.0.0"), if_unknown=if_unknown) is if_unknown
