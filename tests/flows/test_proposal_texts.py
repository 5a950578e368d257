"""Titles and bodies over the limits of each forge, templates that fail, and labels of images that are an attack."""

from __future__ import annotations

import pytest

from tests.flows.fleet import Status
from tests.flows.test_proposal_tokens import KINDS
from tests.flows.test_proposals import BRANCH, FILE, proposing
from updater.forge.address import ForgeKind
from updater.forge.kinds import DIALECTS
from updater.writeback.proposal_text import read_marker

#: what image labels and annotations may try: Markdown, HTML, mentions, commands of CI, quick actions of forges, our own marker
ATTACKS = [
    "[click](https://evil.example.org) ![x](https://evil.example.org/p.png)",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "@everyone @o/admins please merge #1 !1",
    "[skip ci] [ci skip] ***NO_CI***",
    "x\n/merge\n/approve\n/close",
    "<!-- updater:proposal v1 text=0123456789abcdef values= -->",
    "https://evil.example.org/a/b](https://x) /merge",
]
LABELS = ("source", "revision", "version", "title", "description", "url", "authors")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def longest(kind):
    return DIALECTS[ForgeKind(kind)].abilities


@pytest.mark.parametrize("attack", ATTACKS)
async def test_labels_of_an_image_that_are_an_attack_reach_neither_title_nor_body(tmp_path, attack):
    for number, kind in enumerate(KINDS):
        async with proposing(tmp_path / str(number), kind, "lost") as life:
            named = {f"org.opencontainers.image.{name}": attack for name in LABELS}
            life.fleet.registry.push("o/app", "1.1.0", labels=named)
            end = await life.land()
            (pull,) = life.forge.pulls
            assert (end.status, pull.state) == (Status.PROPOSED, "open"), end
            said = f"{pull.title}\n{pull.body.partition('-->')[2]}"
            for line in attack.splitlines():
                assert line == "x" or line not in said
            assert "evil.example.org" not in said
            assert read_marker(pull.body).values


async def test_a_title_over_the_limit_is_cut_and_not_written_again_at_each_pass(tmp_path, kind):
    more = "{per: destination, title: '{{ (index .Images 0).NewTag }} {{ repeat 1000 \"é😀\" }}'}"
    async with proposing(tmp_path, kind, "lost", more) as life:
        life.push("1.1.0")
        assert (await life.land()).status is Status.PROPOSED
        (pull,) = life.forge.pulls
        assert pull.title.startswith("1.1.0 ")
        assert len(pull.title.encode("utf-16-le")) // 2 <= longest(kind).longest_title
        asked = len(life.forge.changes())
        assert (await life.land()).status is Status.PROPOSED
        assert len(life.forge.changes()) == asked


async def test_a_body_over_the_limit_is_cut_keeps_its_marker_and_is_not_written_again(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        line = life.fleet.file(FILE).splitlines()[-1]
        text = "spec:\n" + "".join(f"{line.replace('image:', f'image{number}:')}\n" for number in range(400))
        life.fleet.repository.commit({FILE: text.encode()})
        life.push("1.1.0")
        assert (await life.land()).status is Status.PROPOSED
        (pull,) = life.forge.pulls
        assert len(pull.body) <= longest(kind).longest_body
        assert read_marker(pull.body).values
        assert "Close it without merging" in pull.body
        asked, head = len(life.forge.changes()), life.head()
        assert (await life.land()).status is Status.PROPOSED
        assert (len(life.forge.changes()), life.head()) == (asked, head)


async def test_a_title_that_cannot_be_made_stops_before_anything_is_pushed_and_is_mended_by_another_one(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{per: destination, title: '{{ fail \"no title today\" }}'}") as life:
        life.push("1.1.0")
        end = await life.land()
        assert (end.status, end.code, "no title today" in end.detail) == (Status.FAILED, "template-failed", True)
        assert (life.head(), life.forge.pulls) == (None, [])
        life.fleet.subscriptions[-1] = life.fleet.subscriptions[-1].replace('{{ fail "no title today" }}', "any")
        assert (await life.land()).status is Status.PROPOSED
        assert (life.forge.pulls[0].title, life.head(BRANCH) is not None) == ("any", True)


def test_each_forge_is_among_those_of_this_page():
    assert set(KINDS) == {str(kind) for kind in DIALECTS}
