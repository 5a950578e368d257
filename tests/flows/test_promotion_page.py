"""What docs/how-to/promote-from-staging-to-prod.md shows is a configuration that works, and what the program says."""

from __future__ import annotations

import re
from pathlib import Path

from updater.documents import read_yaml
from updater.gates.promotion import followed, offer_of
from updater.model.image import parse_ref
from updater.model.promotion import Follows, HealthyRun
from updater.settings.decisions import ANNOTATION_PREFIX
from updater.settings.gate_annotations import read_gate
from updater.sources.file import load

PAGE = (Path(__file__).parents[2] / "docs/how-to/promote-from-staging-to-prod.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
FOLLOWS = Follows(subscription="shop-staging", healthy_for=7200.0)


def test_the_configuration_of_the_page_is_taken_as_it_is(tmp_path):
    path = tmp_path / "updater.yaml"
    path.write_text(next(text for kind, text in BLOCKS if kind == "yaml" and "subscriptions:" in text))
    by_key = {item.key: item for item in load([path], {}).snapshot.subscriptions}
    assert by_key["shop"].gates.follows == FOLLOWS
    assert by_key["shop-staging"].delivery is not None


def test_the_annotation_of_the_page_is_read():
    text = next(text for kind, text in BLOCKS if kind == "yaml" and "annotations:" in text)
    annotations = read_yaml("page", text.encode()).documents[0].value["metadata"]["annotations"]
    ((name, value),) = annotations.items()
    assert name.removeprefix(ANNOTATION_PREFIX) == "web.follows"
    assert read_gate("follows", value) == Follows(subscription="argocd/shop-staging/web", healthy_for=7200.0)


def test_explain_says_what_the_page_shows():
    (shown,) = [text for kind, text in BLOCKS if kind == "text"]
    since = 1_795_784_400.0  # 2026-11-27T13:00:00Z
    image = parse_ref("ghcr.io/acme/shop:1.4.3@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
    run = HealthyRun(revision="a" * 40, image=image, began=since, since=since)
    answer = followed(offer_of(FOLLOWS, [run], since))
    assert shown.strip() == f"gate       follows held [{answer.code}]: {answer.reason}"
