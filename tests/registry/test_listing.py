"""Promises about walking a tag list to its end; no network."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.answers import answer, drive
from updater.errors import ImageNotFound, RegistryError, RegistryProtocolError, RegistryUnavailable
from updater.registry.listing import PAGE_SIZE, ListingLimits, next_link, walking

BASE = "https://r.example.com/v2/org/app/tags/list"
FIRST = f"{BASE}?n={PAGE_SIZE}"


def walk(*answers, caps: ListingLimits | None = None):
    return drive(walking(BASE, what="r.example.com/org/app", caps=caps or ListingLimits()), *answers)


def page(*tags: object, link: str | list[str] | None = None, url: str = FIRST, **more: object):
    return answer(content={"name": "org/app", "tags": list(tags), **more}, url=url, **({"Link": link} if link else {}))


def full(letter: str, **more):
    return page(*(f"{letter}{number}" for number in range(PAGE_SIZE)), **more)


def test_one_page_is_one_request():
    asked, found = walk(page("b", "a", "b"))
    assert (asked, found.tags) == ([FIRST], ("b", "a"))


@pytest.mark.parametrize(
    "link",
    [
        '</v2/org/app/tags/list?last=b&n=2>; rel="next"',
        "</v2/org/app/tags/list?last=b&n=2>; rel=next",
        '<https://r.example.com/v2/org/app/tags/list?last=b&n=2>;rel="next"',
        '<?last=b&n=2>; title=x; rel="prefetch next"',
        '<http://r.example.com/v2/org/app/tags/list?last=b&n=2>; rel="next"',
        '<https://quay.example.com/v2/org/app/tags/list?last=b&n=2>; rel="next"',
        '<//10.0.0.1/v2/other/tags/list?last=b&n=2>; rel="next"',
        '</v2/app/tags/list?last=b&n=2>; rel="next"',
        '</repository/docker/v2/org/app/tags/list?last=b&n=2>; REL="NEXT"',
        '</v2/org/app/tags/list?last=a&n=2>; rel="previous", </v2/org/app/tags/list?last=b&n=2>; rel="next"',
    ],
)
def test_a_link_is_followed_by_its_query_alone_in_every_form(link):
    asked, found = walk(page("a", "b", link=link), page("c"))
    assert asked == [FIRST, f"{BASE}?last=b&n=2"]
    assert found.tags == ("a", "b", "c")


def test_an_opaque_cursor_stays_as_it_is():
    asked, _ = walk(page("a", link='</v2/org/app/tags/list?next_page=gAAA%2Bx%3D%3D>; rel="next"'), page("b"))
    assert asked[1] == f"{BASE}?next_page=gAAA%2Bx%3D%3D"


def test_links_may_stand_in_several_lines():
    assert next_link(('</a>; rel="previous"', '</b>; rel="next"')) == "/b"


@pytest.mark.parametrize(
    "lines", [(), ("<>; rel=next",), ("</a>; rel=nextish",), ("nonsense",), ("</a>; rel=last",), ("<" * 1000,)]
)
def test_what_is_no_next_link_ends_the_walk(lines):
    assert next_link(lines) is None


def test_an_empty_page_ends_the_walk_even_with_a_link():
    link = f'<{FIRST}&last=a>; rel="next"'
    asked, found = walk(page("a", link=link), page(link='</v2/org/app/tags/list?last=x>; rel="next"'))
    assert (len(asked), found.tags) == (2, ("a",))


def test_a_full_page_without_a_link_is_asked_beyond_once():
    asked, found = walk(full("a"), page("b"))
    assert asked[1] == f"{FIRST}&last=a{PAGE_SIZE - 1}"
    assert len(found.tags) == PAGE_SIZE + 1


def test_a_server_that_ignores_last_is_not_asked_forever():
    assert len(walk(full("a"), full("a"))[0]) == 2


@pytest.mark.parametrize("status", [400, 404, 405, 500])
def test_a_refused_look_beyond_a_full_page_is_its_end(status):
    assert len(walk(full("a"), answer(status))[1].tags) == PAGE_SIZE


def test_a_server_that_ignores_n_is_asked_once():
    assert len(walk(page(*(f"t{number}" for number in range(5000))))[0]) == 1


@pytest.mark.parametrize("status", [400, 405])
def test_a_page_size_that_is_refused_is_left_out(status):
    asked, found = walk(answer(status), page("a", url=BASE))
    assert (asked, found.tags) == ([FIRST, BASE], ("a",))


@pytest.mark.parametrize("content", [{"tags": None}, {}, {"tags": []}])
def test_no_tags_are_an_empty_list(content):
    assert walk(answer(content=content))[1].tags == ()


def test_what_is_no_tag_is_dropped():
    _, found = walk(page("ok", 5, None, ["x"], "bad tag", "", "x" * 200, "a\nb", "also-ok"))
    assert found.tags == ("ok", "also-ok")
    assert walk(page("a\nb", "c"))[1].tags == ("c",)


def test_a_cursor_that_names_a_deleted_tag_starts_the_walk_again_once():
    link = '</v2/org/app/tags/list?last=b>; rel="next"'
    asked, found = walk(page("a", "b", link=link), answer(404), page("a"))
    assert (asked, found.tags) == ([FIRST, f"{BASE}?last=b", FIRST], ("a",))
    with pytest.raises(RegistryProtocolError, match="vanish"):
        walk(page("a", "b", link=link), answer(404), page("a", "b", link=link), answer(404))


class TestGuards:
    @pytest.mark.parametrize("link", ["http://[::1", "//10.0.0.1/x", "ftp://r.example.com/x"])
    def test_a_link_without_a_cursor_is_an_error(self, link):
        with pytest.raises(RegistryProtocolError, match=r"not a URL|repeat") as refused:
            walk(page("a", link=f'<{link}>; rel="next"'), page("a", url=BASE, link=f'<{link}>; rel="next"'))
        assert refused.value.code == "registry-pagination"

    @pytest.mark.parametrize(("tags", "page_size"), [(250_000, 100), (300_000, 1000), (10, 1000)])
    def test_as_many_tags_as_the_cap_lets_pass_are_read_in_pages_of_any_size(self, tags, page_size):
        caps = ListingLimits.for_tags(tags)
        assert caps.pages * page_size >= tags
        assert caps.total_bytes >= tags * len(f'"{"x" * 128}",')
        assert caps.tags == tags

    def test_the_cap_of_tags_is_named_with_its_setting(self):
        pages = [page(*(f"t{number}-{tag}" for tag in range(10)), link=f"<?last={number}>; rel=next") for number in range(9)]
        with pytest.raises(RegistryProtocolError, match="it goes on") as refused:
            walk(*pages, caps=ListingLimits.for_tags(50))
        assert "for more than 50 tags, raise registry_limits.tags" in refused.value.hint

    def test_a_link_to_a_page_already_seen_is_an_error(self):
        with pytest.raises(RegistryProtocolError, match="repeat"):
            walk(page("a", link=f'<{FIRST}>; rel="next"'))

    def test_pages_that_add_nothing_new_but_go_on_are_an_error(self):
        links = [f'</v2/org/app/tags/list?last=a&again={number}>; rel="next"' for number in range(3)]
        with pytest.raises(RegistryProtocolError, match="repeat"):
            walk(page("a", link=links[0]), page("a", link=links[1]), page("a", link=links[2]))

    @pytest.mark.parametrize("caps", [ListingLimits(pages=5), ListingLimits(tags=50), ListingLimits(total_bytes=800)])
    def test_pages_without_end_are_an_error(self, caps):
        pages = [
            page(*(f"t{number}-{tag}" for tag in range(10)), link=f'<?last={number}>; rel="next"', url=BASE)
            for number in range(100)
        ]
        with pytest.raises(RegistryProtocolError, match="it goes on") as refused:
            walk(*pages, caps=caps)
        assert refused.value.code == "registry-pagination"

    @pytest.mark.parametrize(
        ("given_answer", "error"),
        [
            (answer(404), ImageNotFound),
            (answer(500), RegistryUnavailable),
            (answer(200, b"<html>", Content_Type="text/html"), RegistryProtocolError),
            (answer(200, {"tags": "text"}), RegistryProtocolError),
            (answer(200, {"tags": {"a": 1}}), RegistryProtocolError),
            (answer(200, []), RegistryProtocolError),
            (answer(206, {"tags": []}), RegistryProtocolError),
        ],
    )
    def test_an_answer_that_is_no_list_is_an_error_of_ours(self, given_answer, error):
        with pytest.raises(error) as refused:
            walk(given_answer)
        assert isinstance(refused.value, RegistryError)
        assert "r.example.com/org/app" in str(refused.value)


class TestUnaskedFacts:
    def test_what_google_tells_unasked_is_kept(self):
        digest = "sha256:" + "a" * 64
        manifests = {digest: {"tag": ["1", "latest"], "timeUploadedMs": "1714979289000", "timeCreatedMs": "0"}}
        _, found = walk(page("1", "latest", "2", manifest=manifests))
        assert {tag: str(value) for tag, value in found.digests.items()} == {"1": digest, "latest": digest}
        assert found.pushed == dict.fromkeys(("1", "latest"), datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))

    @pytest.mark.parametrize(
        "manifests",
        [
            [],
            5,
            {"sha256:x": {"tag": ["1"]}},
            {"x": 5},
            {"x": {"tag": [5]}},
            {"x": {"tag": ["1"], "timeUploadedMs": "9" * 5000}},
            {"x": {}},
        ],
    )
    def test_nonsense_there_is_ignored(self, manifests):
        _, found = walk(page("1", manifest=manifests))
        assert (found.tags, found.digests, found.pushed) == (("1",), {}, {})


@given(st.lists(st.binary(max_size=60) | st.just(b'{"tags": ["a"]}'), min_size=4, max_size=4), st.text(max_size=60))
def test_any_answers_end_the_walk_or_are_refused(bodies, link):
    steps = walking(BASE, what="x", caps=ListingLimits(pages=10))
    next(steps)
    try:
        for body in bodies:
            steps.send(answer(200, body, Link=f'<{link}>; rel="next"'))
    except StopIteration as end:
        assert isinstance(end.value.tags, tuple)  # noqa: PT017 - any answers may be either
    except RegistryError as refused:
        assert refused.hint  # noqa: PT017
