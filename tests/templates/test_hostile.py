"""A hostile template ends as an error of its own, never as an outage."""

from __future__ import annotations

from contextlib import suppress

import pytest

from updater.errors import TemplateError
from updater.templates import parse
from updater.templates.limits import MAX_BLOCK_DEPTH, MAX_SOURCE, MAX_STEPS, MAX_TEXT, Meter

DOUBLING = "{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ repeat 2000000000 `x` }}",
        "{{ repeat 1000 (repeat 10000 `x`) }}",
        "{{ until 100000000 }}",
        "{{ untilStep 0 9223372036854775807 1 }}",
        "{{ seq 1 1000000000 }}",
        "{{ indent 1000000000 `x` }}",
        "{{ nindent 100000000 (repeat 100 `\n`) }}",
        "{{ replace `` (repeat 10000 `y`) (repeat 10000 `x`) }}",
        "{{ regexReplaceAll `` (repeat 10000 `x`) (repeat 1000 `y`) }}",
        "{{ join (repeat 10000 `,`) (until 10000) }}",
        "{{ wrapWith 1 (repeat 10000 `,`) (repeat 10000 `x `) }}",
        "{{ printf `%1000000d%1000000d` 1 2 }}",
        "{{ printf `%100000d` (until 1000) }}",
        "{{ printf `%.1000000f%.1000000f` 1.0 2.0 }}",
        "{{ range until 100000 }}{{ range until 100000 }}x{{ end }}{{ end }}",
        "{{ range 9223372036854775807 }}x{{ end }}",
        "{{ range 9223372036854775807 }}{{ end }}",
        "{{ define `t` }}{{ template `t` . }}{{ end }}{{ template `t` . }}",
        "{{ define `t` }}{{ range until 10 }}{{ template `t` . }}{{ end }}{{ end }}{{ template `t` . }}",
        "{{ define `a` }}{{ template `b` }}{{ end }}{{ define `b` }}{{ template `a` }}{{ end }}{{ template `a` }}",
        "{{ $d := dict }}{{ $_ := set $d `self` $d }}{{ $d }}",
        "{{ $d := dict }}{{ $_ := set $d `self` $d }}{{ toJson $d }}",
        "{{ $d := dict }}{{ $_ := set $d `self` $d }}{{ deepCopy $d }}",
        "{{ $d := dict }}{{ $_ := set $d `self` $d }}{{ deepEqual $d $d }}",
        "{{ $d := dict }}{{ $_ := set $d `self` $d }}{{ merge $d $d }}",
        DOUBLING + "{{ $x }}",
        DOUBLING + "{{ toJson $x }}",
        DOUBLING + "{{ printf `%v` $x }}",
        DOUBLING + "{{ deepCopy $x }}",
        DOUBLING + "{{ uniq $x }}",
        DOUBLING + "{{ has $x $x }}",
        "{{ $x := `x` }}{{ range until 60 }}{{ $x = print $x $x }}{{ end }}",
        "{{ $x := list 1 }}{{ range until 60 }}{{ $x = concat $x $x }}{{ end }}",
        "{{ $x := list 1 }}{{ range until 1000 }}{{ $x = list $x }}{{ end }}{{ $x }}",
        "{{ $x := `xxxxxxxxxxxxxxxx` }}{{ range until 100000 }}{{ $x }}{{ $x }}{{ end }}",
        "{{ regexFindAll `` (repeat 1000000 `x`) -1 }}",
        "{{ $x := repeat 1000000 `x` }}{{ range until 1000 }}{{ $y := upper $x }}{{ end }}",
    ],
)
def test_what_would_cost_too_much_is_refused(text):
    with pytest.raises(TemplateError) as caught:
        parse(text).render({})
    assert caught.value.code == "template-limit"
    assert caught.value.message.startswith("template:1:")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10000,
        "{{ " + "(" * 10000 + "1" + ")" * 10000 + " }}",
        "{{ if 1 }}" * 5000 + "{{ end }}" * 5000,
        "{{ if 0 }}a" + "{{ else if 0 }}b" * 3000 + "{{ end }}",
        "{{ range until 1 }}" * (MAX_BLOCK_DEPTH + 1) + "{{ end }}" * (MAX_BLOCK_DEPTH + 1),
        "x" * (MAX_SOURCE + 1),
        "{{ 1" + "0" * 10000 + " }}",
        "{{ " + ".a" * 20000 + " }}",
        "{{ " + "print | " * 5000 + "print }}",
        '{{ fromJson "' + "[" * 30000 + '" }}',
        "{{ printf `" + "%" * 5000 + "` }}",
    ],
)
def test_what_is_too_deep_or_too_long_never_exhausts_the_stack(text):
    with suppress(TemplateError):
        parse(text).render({})


def test_numbers_wrap_around_and_never_grow():
    text = "{{ $x := 3 }}{{ range until 1000 }}{{ $x = mul $x $x $x }}{{ end }}{{ lt $x 0 }}"
    assert parse(text).render({}) in {"true", "false"}


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*)*x", "a" * 2000, "(((a{100}){100}){100})"])
def test_no_expression_is_slow(pattern):
    template = parse("{{ regexReplaceAll .P (repeat 5000 `a`) `b` | len }}")
    with suppress(TemplateError):
        template.render({"P": pattern})


def test_the_largest_text_within_the_limit_is_made():
    assert len(parse(f"{{{{ repeat {MAX_TEXT} `x` }}}}").render({})) == MAX_TEXT


def test_a_message_over_many_changes_is_far_from_the_limit():
    changes = [{"Path": f"apps/{index}.yaml", "Old": "1.0", "New": "1.1"} for index in range(5000)]
    text = "{{ range $i, $c := .Changes }}{{ if $i }}, {{ end }}{{ $c.Path | base }}: {{ printf `%s -> %s` .Old .New }}{{ end }}"
    assert parse(text).render({"Changes": changes}).endswith("4999.yaml: 1.0 -> 1.1")


def test_a_meter_counts_down_to_an_error():
    meter = Meter(3)
    meter.spend(3)
    with pytest.raises(TemplateError, match="too many steps"):
        meter.spend()
    assert MAX_STEPS > 3
