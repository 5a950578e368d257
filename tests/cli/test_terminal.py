"""Text fits a terminal: lines fold between words and below their own text, and a program reads them whole."""

from __future__ import annotations

import click
import pytest

from updater.cli import terminal
from updater.cli.terminal import folded

HELD = "held       web: 2.4.7 has disappeared from the registry; held until the next scan confirms it [incomplete-list]"


def test_a_line_goes_on_below_where_its_text_began():
    assert folded(HELD, 60).split("\n") == [
        "held       web: 2.4.7 has disappeared from the registry;",
        "           held until the next scan confirms it",
        "           [incomplete-list]",
    ]


@pytest.mark.parametrize("columns", [10, 20, 33, 47, 80, 200])
def test_no_word_is_cut_or_lost_whatever_the_width(columns):
    text = f"{HELD}\n\n    {'x' * 50} short words follow\n"
    said = folded(text, columns)
    assert said.split() == text.split()
    assert all(len(line) <= columns or len(line.split()) == 1 for line in said.split("\n"))


def test_styles_take_no_room_and_stay():
    styled = HELD.replace("held  ", click.style("held", fg="yellow") + "  ", 1)
    assert click.unstyle(folded(styled, 60)) == folded(HELD, 60)
    assert "\x1b[33m" in folded(styled, 60)


def test_off_a_terminal_nothing_is_folded(capsys):
    terminal.say(HELD * 3)
    assert capsys.readouterr().out == f"{HELD * 3}\n"
