"""What a template promises beyond its text: places, hints, fields, functions of the caller, untouched data."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.errors import TemplateError
from updater.templates import Int64, Ints, StringMap, Strings, Struct, parse
from updater.templates.functions import FUNCTIONS, REFUSED


def fault(text, data=None, **options):
    with pytest.raises(TemplateError) as caught:
        parse(text, **options).render(data)
    return caught.value


def test_a_fault_says_line_and_column_of_its_cause():
    error = fault("one\n  {{ .Name | uper }}")
    assert error.message.startswith("template:2:14: ")
    assert error.hint == "did you mean upper?"
    assert error.code == "template-function"


def test_a_fault_is_told_under_the_name_of_the_template():
    assert fault("{{ end }}", name="git.message").message.startswith("git.message:1:4: ")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("{{ if .X }}a", "template", "is not ended"),
        ("{{ .Name", "template", "not closed"),
        ("{{ nope }}", "template-function", "not defined"),
        ("{{ now }}", "template-function", "refused"),
        ("{{ (len 3) }}", "template-data", "len"),
        ('{{ fail "no" }}', "template-failed", "no"),
        ("{{ until 1000000000 }}", "template-limit", "1000000000 items"),
    ],
)
def test_each_kind_of_fault_has_its_stable_code(text, code, words):
    error = fault(text, {})
    assert error.code == code
    assert words in error.message


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_function_without_sense_in_a_message_is_refused_by_name_with_what_to_do(name):
    error = fault(f'{{{{ {name} "x" }}}}')
    assert error.message.endswith(f"function {name!r} is refused")
    assert error.hint
    assert name not in FUNCTIONS


def test_a_field_that_a_struct_lacks_names_the_nearest_or_all():
    data = Struct("Thing", (("Name", "x"), ("Tag", "y")))
    assert fault("{{ .Nam }}", data).hint == "did you mean .Name?"
    assert fault("{{ .Zzz }}", data).hint == "its fields are .Name, .Tag"


def test_a_field_that_is_gone_says_what_replaced_it():
    data = Struct("Thing", (("New", 1),), hints={"Old": "write .New"})
    error = fault("{{ .Old }}", data)
    assert "can't evaluate field Old in type Thing" in error.message
    assert error.hint == "write .New"


def test_fields_are_those_that_the_template_asks_its_data_for():
    template = parse(
        "{{ .A.B }}{{ range .C }}{{ .Inner }}{{ $.D }}{{ else }}{{ .E }}{{ end }}{{ with .F }}{{ .Inner }}{{ end }}"
        "{{ if .G }}{{ .H }}{{ end }}{{ $x := .I }}{{ $x.Inner }}{{ (index .J 0).Inner }}{{ template `t` .K }}"
        "{{ define `t` }}{{ .Inner }}{{ end }}{{ printf `%s` (.L | print .M) }}{{ $ }}"
    )
    assert template.fields() == frozenset("ABCDEFGHIJKLM") - {"B"}
    assert ("A", "B") in template.chains()


def test_functions_of_the_caller_are_known_and_may_stand_in_for_ours():
    functions = {"shout": lambda *words: "!".join(words), "semver": lambda text: f"<{text}>"}
    assert parse('{{ shout "a" "b" }} {{ semver "1.2" }}', functions=functions).render({}) == "a!b <1.2>"
    assert "wants 1 argument" in fault("{{ semver }}", functions=functions).message


def test_semver_parses_everywhere_and_says_so_where_versions_cannot_be_read():
    assert "versions cannot be read here" in fault('{{ semverCompare ">=1" "1.2" }}').message


def test_a_template_never_changes_the_data_of_its_caller():
    data = {"Map": {"a": 1}, "List": [1, 2]}
    assert parse('{{ $_ := set .Map "b" 2 }}{{ len .Map }}{{ sortAlpha .List }}').render(data) == "2[1 2]"
    assert data == {"Map": {"a": 1}, "List": [1, 2]}


def test_any_mapping_and_sequence_is_data_and_anything_else_is_refused():
    assert parse("{{ index .T 1 }}{{ .M.a }}").render({"T": (1, 2), "M": StringMap(a="x")}) == "2x"
    assert parse("{{ . }}{{ printf `%T` . }}").render(Int64(3)) == "3int64"
    assert parse("{{ printf `%T %T` .A .B }}").render({"A": Strings(["a"]), "B": Ints([1])}) == "[]string []int"
    assert "a set cannot be shown" in fault("{{ . }}", {1, 2}).message


def test_methods_get_their_arguments_and_their_faults_are_placed():
    def halve(value):
        if value is None:
            raise TemplateError("nothing to halve", hint="give a number")
        return value // 2

    data = Struct("Thing", (("Halve", halve), ("Kind", "x")))
    assert parse("{{ .Halve 4 }} {{ 6 | .Halve }}").render(data) == "2 3"
    assert fault("{{ .Halve nil }}", data).message == "template:1:4: Halve: nothing to halve"
    assert "does not take these arguments" in fault("{{ .Halve }}", data).message
    assert parse("{{ . }} {{ toJson . }}").render(data) == '{x} {"Kind":"x"}'


def test_a_pointer_like_struct_prints_with_an_ampersand():
    assert parse("{{ . }} {{ kindOf . }}").render(Struct("*pkg.T", (("A", 1),))) == "&{1} ptr"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])).filter(lambda text: "{{" not in text))
def test_text_without_actions_is_itself(text):
    assert parse(text).render({}) == text


@given(st.text(max_size=60))
def test_any_text_parses_or_is_a_template_error(text):
    for wrapped in (text, f"{{{{ {text} }}}}", f"{{{{ print {text} }}}}"):
        with suppress(TemplateError):
            parse(wrapped).render({})


@given(st.text(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
def test_values_print_the_same_by_print_printf_and_json(text, whole, real):
    data = {"T": text.encode("utf-8", "replace").decode(), "I": whole, "F": real}
    shown = parse("{{ .T }}\0{{ .I }}\0{{ .F }}").render(data)
    assert shown == parse("{{ printf `%s` .T }}\0{{ printf `%d` .I }}\0{{ printf `%v` .F }}").render(data)
    assert parse("{{ (toJson . | fromJson).T }}").render(data) == data["T"]
    assert float(shown.rpartition("\0")[2]) == real


@given(st.text(max_size=20), st.integers(-30, 30), st.integers(-30, 30))
def test_cutting_a_text_never_breaks_the_run(text, start, end):
    template = parse("{{ trunc .A .T }}{{ substr 0 .B .T }}{{ abbrev .A .T }}{{ .T | upper | title | snakecase | camelcase }}")
    with suppress(TemplateError):
        template.render({"T": text, "A": start, "B": end})


def test_the_reference_names_every_function_and_every_refused_one():
    text = (Path(__file__).parents[2] / "docs/reference/templates.md").read_text(encoding="utf-8")
    assert [name for name in (*FUNCTIONS, *REFUSED, "and", "or") if f"`{name}`" not in text] == []
