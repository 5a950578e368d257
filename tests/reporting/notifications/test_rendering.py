"""What a message says, and that no value in it formats or calls anything."""

from __future__ import annotations

import html
import re

import pytest

from tests.reporting.notifications.making import COMMIT, line, moved, notice
from updater.errors import TemplateError
from updater.model.notification import NotifiedEvent
from updater.model.outcome import Move
from updater.model.written import Written
from updater.reporting.notifications.dialects import HTML, MARKDOWN, PLAIN
from updater.reporting.notifications.rendering import text_of, title_of, value_of
from updater.reporting.notifications.templating import example, templated, try_template

HOSTILE = "a*b `c` <!channel> <@U1|x> @everyone <at>all</at> <users/all> [t](http://evil.test) <b>x</b> ~s~ _u_ \\ \u202e\nnext"
EMPTY = "\u200b"


def written(event=NotifiedEvent.UPDATED, key="web", new="1.1.0", **options):
    return line(event, key, moves=moved(new=new).moves, revision=COMMIT, **options)


def test_a_title_names_one_subscription_and_counts_several():
    assert title_of(notice(written())) == "web: updated to 1.1.0"
    assert title_of(notice(written(NotifiedEvent.REVERTED, new="0.9.0"))) == "web: reverted to 0.9.0"
    assert title_of(notice(line(NotifiedEvent.FAILED))) == "web: failed"
    several = notice(written(), written(key="app"), line(NotifiedEvent.FAILED, "api"))
    assert title_of(several) == "1 failed, 2 updated in https://git.test/fleet#main"
    elsewhere = notice(written(), written(key="app", destination="argocd:a/b"))
    assert title_of(elsewhere) == "2 updated in 2 places"
    assert title_of(notice(written(), is_test=True)).startswith("Test: ")


def test_one_subscription_with_two_targets_counts_once():
    assert title_of(notice(written(target="a"), written(target="b"))) == "web: updated to 1.1.0"


def test_a_text_says_what_failed_first_then_where_it_is():
    text = text_of(
        notice(written(), line(NotifiedEvent.FAILED, "api", detail="no answer", code="git-unavailable", hint="wait")), PLAIN
    )
    assert text.split("\n") == [
        "Failed",
        "• api: no answer [git-unavailable]",
        "  hint: wait",
        "",
        "Updated",
        "• web: r.test/app 1.0.0 → 1.1.0",
        "",
        "https://git.test/fleet#main, commit 012345678",
    ]


def test_what_ended_alike_is_one_line_with_at_most_ten_keys():
    lines = [line(NotifiedEvent.FAILED, f"key-{number:02}", detail="the registry is down") for number in range(25)]
    text = text_of(notice(*lines), PLAIN)
    assert text.count("the registry is down") == 1
    assert "key-09 and 15 more: the registry is down" in text


@pytest.mark.parametrize("dialect", [PLAIN, MARKDOWN, HTML])
@pytest.mark.parametrize("length", [900, 1900, 8000])
def test_a_text_stays_within_its_length_and_says_what_it_leaves_out(dialect, length):
    lines = [written(key=f"key-{number}", new=f"1.{number}.0") for number in range(400)]
    text = text_of(notice(*lines, lost=3), dialect, length=length)
    assert len(text) <= length
    shown = text.count("→")
    assert f"and {400 - shown} more" in text
    assert "commit 012345678" in text
    assert "3 messages before this one could not be delivered" in text


def test_a_digest_is_short_and_a_renamed_image_is_named_twice():
    digest = f"sha256:{'ab' * 32}"
    assert value_of(Written(tag="1.0.0", digest=digest)) == "1.0.0@sha256:abababababab"
    assert value_of(Written()) == "nothing"
    move = Move(old=Written(name="r.test/old", tag="1"), new=Written(name="r.test/new", tag="2"))
    assert "r.test/old 1 → r.test/new 2" in text_of(notice(line(moves=(move,))), PLAIN)


def test_no_value_calls_anybody_or_moves_the_cursor():
    for dialect in (PLAIN, MARKDOWN, HTML):
        shown = dialect.escape(HOSTILE)
        assert "@everyone" not in shown
        assert "\n" not in shown
        assert "\u202e" not in shown
    assert PLAIN.escape("git@github.com:o/x r.test/app@sha256:ab") == "git@github.com:o/x r.test/app@sha256:ab"
    assert PLAIN.escape("<at user_id='all'>") == f"<{EMPTY}at user_id='all'>"
    assert PLAIN.escape(">=1.0 <2.0, < 3, <=1.9") == ">=1.0 <2.0, < 3, <=1.9"
    assert PLAIN.escape("x@here") == f"x@{EMPTY}here"


def test_markdown_of_a_value_is_text():
    shown = MARKDOWN.escape(HOSTILE)
    assert not re.search(r"(?<!\\)[*`~\[\]]", shown)
    assert not re.search(rf"<(?!{EMPTY})", shown)
    assert MARKDOWN.escape("release_1_x") == "release_1_x"


def test_html_of_a_value_is_text():
    shown = HTML.escape(HOSTILE)
    assert "<" not in shown
    assert "<b>x</b>" in html.unescape(shown)


@pytest.mark.parametrize("dialect", [PLAIN, MARKDOWN, HTML])
def test_hostile_keys_details_and_tags_are_escaped_wherever_they_stand(dialect):
    hostile = line(NotifiedEvent.FAILED, HOSTILE, detail=HOSTILE, hint=HOSTILE, destination=HOSTILE, moves=(), link=HOSTILE)
    tagged = line(key=HOSTILE, moves=(Move(old=Written(name=HOSTILE, tag=HOSTILE), new=Written(name=HOSTILE, tag=HOSTILE)),))
    for text in (text_of(notice(hostile, tagged), dialect), templated(EVERYTHING, notice(hostile, tagged), dialect, route="r")):
        assert "@everyone" not in text
        assert "\u202e" not in text
        for call in ("<!channel>", "<at>", "<at user_id", "<users/all>", "<U1"):
            assert call not in text
        assert dialect is not MARKDOWN or "[t](" not in text.replace("\\[t\\](", "")


EVERYTHING = """{{ .Title }} {{ .Text }} {{ .At }} {{ .IsTest }} {{ .Lost }} {{ .Route }}
{{ range .Destinations }}{{ . }}{{ end }}
{{ range .Events }}{{ .Event }} {{ .Subscription }} {{ .Image }} {{ .Old }} {{ .New }} {{ .Detail }} {{ .Code }} {{ .Hint }}
{{ .Target }} {{ .Destination }} {{ .Revision }} {{ .Link }}
{{ range .Changes }}{{ .Path }} {{ .Line }} {{ .Old }} {{ .New }}{{ end }}{{ end }}"""


def test_a_template_makes_the_text_and_its_own_words_are_not_escaped():
    text = "<b>{{ len .Events }}</b> {{ range .Events }}{{ .Subscription }}: {{ .Old }} to {{ .New }}{{ end }}"
    assert templated(text, notice(written(key="<web>")), HTML, route="chat") == "<b>1</b> &lt;web&gt;: 1.0.0 to 1.1.0"
    try_template(EVERYTHING)


@pytest.mark.parametrize("text", ["{{ .Event }}", "{{ range .Events }}{{ .Tag }}{{ end }}", "{{ fail `no` }}"])
def test_a_template_that_names_what_is_not_there_fails_when_it_is_tried(text):
    with pytest.raises(TemplateError) as caught:
        try_template(text)
    assert caught.value.hint


def test_the_example_shows_every_event():
    shown = text_of(example(NotifiedEvent), PLAIN)
    assert [event for event in NotifiedEvent if event.value.capitalize() not in shown] == []
