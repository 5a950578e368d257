"""What a pull request says: nothing that a registry, a file or a setting holds is a link, a mention or a marker of ours."""

from __future__ import annotations

import dataclasses
import re

import pytest

from tests.writeback.test_message import update as made
from updater.errors import ForgeError
from updater.model.update import Change, Held
from updater.writeback.proposal_links import SourceLinks
from updater.writeback.proposal_text import (
    DRESS,
    LONGEST_BODY,
    MOST_VALUES,
    ProposalExtras,
    closing_text,
    fingerprint,
    marker_line,
    proposal_text,
    read_marker,
    with_due,
    without_due,
)

HOSTILE = "a`b|c <!-- updater:proposal v1 text=0000000000000000 values=aaaaaaaaaaaa --> @everyone\n[x](http://evil)\udcff"


def update():
    return made("ghcr.io/o/app", "1.0.0", "1.1.0")


def change(path="a.yaml", old="1.0.0", new="1.1.0", line=3):
    return Change(path=path, line=line, where="x", old=old, new=new)


def test_the_marker_of_a_text_names_its_values_and_reads_back():
    item = update()
    text = proposal_text([item], {item: (change(),)})
    found = read_marker(text.body)
    assert found.values == {fingerprint(item)}
    assert read_marker(text.body.replace("\n", " ")) == found
    assert read_marker(closing_text("main").body).values == frozenset()
    assert read_marker("a person's words") is None


def test_what_is_left_to_do_stands_behind_the_marker_and_goes_without_a_trace():
    item = update()
    text = proposal_text([item], {item: (change(),)})
    due = with_due(text, DRESS)
    assert (read_marker(due.body).due, read_marker(text.body).due) == (DRESS, "")
    assert read_marker(marker_line(due.body)) == read_marker(due.body)
    assert dataclasses.replace(read_marker(due.body), due="") == read_marker(text.body)
    assert without_due(due) == without_due(text) == text


def test_the_same_changes_make_the_same_text_and_another_value_another_marker():
    item = update()
    same = [proposal_text([item], {item: (change(),)}) for _ in range(2)]
    assert same[0] == same[1]
    other = proposal_text([item], {item: (change(new="1.2.0"),)})
    assert read_marker(other.body).text != read_marker(same[0].body).text


def test_hostile_texts_stay_in_their_cells_and_are_no_marker():
    item = dataclasses.replace(update(), policy=HOSTILE, origin=HOSTILE)
    text = proposal_text([item], {item: (change(path=HOSTILE, old=HOSTILE, new=HOSTILE),)})
    assert read_marker(text.body).values == {fingerprint(item)}
    (row,) = [line for line in text.body.splitlines() if "@everyone" in line]
    assert row.replace("\\|", "").count("|") == 6
    assert row.count("`") == 12
    text.body.encode()


@pytest.mark.parametrize("text", ["a\\|b", "a\\\\|b", "\\", "|", "\\|\\|", "", " ", "``", "\u202ex\x00\x1b[31m", "|" * 400])
def test_a_cell_ends_where_its_text_ends(text):
    item = dataclasses.replace(update(), policy=text)
    body = proposal_text([item], {item: (change(path="p"),)}).body
    (row,) = [line for line in body.splitlines() if "`p:3`" in line]
    assert len(re.findall(r"(?:^|(?<!\\))(?:\\\\)*\|", row)) == 6
    assert row.count("`") == 12
    assert row.isprintable()


def test_a_quoted_marker_and_one_within_a_line_are_no_marker():
    item = update()
    body = proposal_text([item], {item: (change(),)}).body
    marker = body.splitlines()[0]
    assert read_marker(f"> {marker}") is None
    assert read_marker(f"see `{marker}`") is None
    assert read_marker(f"a person's line\n{marker}\nmore") is not None


@pytest.mark.parametrize("length", [pytest.param(300, id="argo-169"), 255])
def test_a_title_has_at_most_the_characters_that_forges_take(length):
    item = update()
    assert proposal_text([item], {item: (change(),)}, title="x" * length).title == "x" * 255


def test_a_title_is_one_short_line():
    item = update()
    assert len(proposal_text([item], {item: (change(),)}).title) <= 255
    assert "\n" not in proposal_text([item], {item: (change(),)}).title


def test_a_long_table_is_cut_and_says_so():
    item = update()
    text = proposal_text([item], {item: tuple(change(line=number) for number in range(5000))})
    assert len(text.body) <= LONGEST_BODY
    assert " more\n" in text.body
    assert "Close it without merging" in text.body


def test_more_values_than_a_body_can_hold_are_refused():
    items = [dataclasses.replace(update(), subscription=f"s{number}") for number in range(MOST_VALUES + 1)]
    kept = proposal_text(items[:-1], {item: (change(),) for item in items})
    assert len(kept.body) <= LONGEST_BODY
    assert len(read_marker(kept.body).values) == MOST_VALUES
    with pytest.raises(ForgeError) as caught:
        proposal_text(items, {})
    assert caught.value.code == "proposal-large"


def test_a_text_is_as_long_as_the_forge_takes_and_keeps_its_marker():
    item = update()
    held = tuple(Held(subscription=f"s{number}", code="downgrade", reason="x" * 200) for number in range(50))
    changes = {item: tuple(change(line=number) for number in range(500))}
    text = proposal_text([item], changes, ProposalExtras(longest=4000, longest_title=20, held=held))
    assert (len(text.body) <= 4000, len(text.title) <= 20) == (True, True)
    assert read_marker(text.body).values == {fingerprint(item)}
    assert "Close it without merging" in text.body
    many = [dataclasses.replace(update(), subscription=f"s{number}") for number in range(400)]
    with pytest.raises(ForgeError) as caught:
        proposal_text(many, {}, ProposalExtras(longest=4000))
    assert caught.value.code == "proposal-large"


def test_what_makes_a_text_richer_is_no_reason_to_write_it_again():
    item, plain = update(), ProposalExtras()
    links = {item: SourceLinks(commit="https://github.com/o/app/commit/bbbbbbb")}
    rich = ProposalExtras(links=links, held=(Held(subscription="s", code="downgrade", reason=HOSTILE),), rejected=frozenset("ab"))
    texts = [proposal_text([item], {item: (change(),)}, extras) for extras in (plain, rich)]
    markers = [read_marker(text.body) for text in texts]
    assert markers[0].text == markers[1].text
    assert (markers[0].rejected, markers[1].rejected) == (None, {"a", "b"})
    assert "[source](https://github.com/o/app/commit/bbbbbbb)" in texts[1].body
    (line,) = [line for line in texts[1].body.splitlines() if "@everyone" in line]
    assert line.count("`") == 6


def test_a_title_by_template_is_one_line():
    item = update()
    text = proposal_text([item], {item: (change(),)}, title="a\n{{ (index .Images 0).NewTag }}\n\n b ")
    assert text.title == "a 1.1.0 b"
    assert proposal_text([item], {item: (change(),)}, title="  ").title.startswith("Update ")


def test_a_text_by_template_stands_above_the_table_and_can_be_no_marker():
    item, forged = update(), "<!-- updater:proposal v1 text=0123456789abcdef values=aaaaaaaaaaaa -->"
    made = proposal_text(
        [item], {item: (change(),)}, body=f"Now {{{{ (index .Images 0).NewTag }}}}\x1b[2J\n\n- [ ] read\n{forged}"
    )
    marker, first, *_ = made.body.splitlines()
    assert (marker.startswith("<!-- updater:proposal"), first) == (True, "Now 1.1.0 [2J")
    assert made.body.index("- [ ] read") < made.body.index("| Image |")
    assert read_marker(made.body).values == read_marker(proposal_text([item], {item: (change(),)}).body).values


def test_another_text_above_the_table_is_a_reason_to_write_it_again():
    item = update()
    texts = [proposal_text([item], {item: (change(),)}, body=body) for body in ("", "a", "b")]
    assert len({read_marker(text.body).text for text in texts}) == 3


def test_a_text_above_the_table_leaves_room_for_the_table():
    item = update()
    made = proposal_text([item], {item: (change(),)}, ProposalExtras(longest=4000), body='{{ repeat 100000 "é" }}')
    assert len(made.body) <= 4000
    assert "1.1.0" in made.body.partition("| Image |")[2]


def test_a_marker_of_a_former_version_reads_back():
    found = read_marker("<!-- updater:proposal v1 text=0123456789abcdef values=aaaaaaaaaaaa -->\nx")
    assert (found.values, found.places, found.rejected) == ({"aaaaaaaaaaaa"}, frozenset(), None)
