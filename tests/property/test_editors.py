"""Laws of the editors on YAML of random shape and style: the value changes, nothing else, and only once."""

from __future__ import annotations

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from updater.editors import keypaths
from updater.editors.helm import HelmEditor, set_values
from updater.editors.kustomize import KustomizeEditor
from updater.editors.marker import MarkerEditor
from updater.model.image import parse_ref
from updater.model.subscription import Locator
from updater.model.update import EditRequest

LAWS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,12}", fullmatch=True) | st.sampled_from(
    ["1.20", "12", "yes", "null", "1e3", "0755", "2024-01-02", "0x1F", "on", "1_0"]
)
NAMES = st.sampled_from(["nginx", "ghcr.io/org/app", "localhost:5000/a/b", "registry.example.com:443/x"])
KEYS = st.sampled_from(["image", "tag", "a", "b-c", '"q.r"', "'s t'", "7", "true", "é", "🚀"])
STYLES = st.sampled_from(["{}", "'{}'", '"{}"', "&a{n} {}", "!!str {}", "!foo '{}'", '&b{n} "{}"'])
VALUES = st.sampled_from(["v1", "x:1", "1.0", "old", "ghcr.io/a/b:1@sha256:" + "0" * 64])
GAPS = st.sampled_from([" ", "   ", "\t", " \t "])
NOISE = st.sampled_from(
    [
        "# note",
        "",
        "  ",
        "n: 0x1F",
        "t: |\n  text # {x}\n\n  more",
        "f: {a: [1, 2], b: ~}",
        "p: plain text\n  over lines",
        "q: 'it''s'",
        'e: "\\u00e9 \\t"',
    ]
)


@st.composite
def documents(draw):
    """Give a text with marked values, and how many of them there are."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    lines, count = [], 0
    for number in range(draw(st.integers(1, 3))):
        lines += (
            draw(st.sampled_from([[], ["---"], ["# head", "---"]]))
            if number == 0
            else [draw(st.sampled_from(["---", "--- # x", "...\n---"]))]
        )
        for entry in range(draw(st.integers(1, 4))):
            indent = " " * draw(st.sampled_from([0, 1, 2, 4]))
            if draw(st.booleans()):
                noise = draw(NOISE)
                lines.append(noise if ":" not in noise or noise.startswith("#") else f"x{number}{entry}{noise}")
            marked = draw(st.booleans())
            count += marked
            value = draw(STYLES).replace("{n}", f"{number}{entry}").replace("{}", draw(VALUES))
            marker = draw(st.sampled_from(['# {"$imagepolicy": "ns:p"}', '##{"$imagepolicy":"ns:p"}'])) if marked else "# other"
            lines.append(f"k{number}{entry}:")
            lines.append(f"{indent} {draw(KEYS)}:{draw(GAPS)}{value}{draw(GAPS)}{marker}")
    text = newline.join("\n".join(lines).split("\n")) + draw(st.sampled_from(["", newline]))
    return draw(st.sampled_from(["", "\ufeff"])) + text, count


def values_of(text):
    return [
        event.value
        for event in yaml.parse(text.removeprefix("\ufeff"), Loader=yaml.CLoader)
        if isinstance(event, yaml.ScalarEvent)
    ]


def wishes_for(editor, path, data, locator, ref):
    return [EditRequest(locator=locator, reading=reading, image=ref) for reading in editor.read(path, data, locator).readings]


@LAWS
@given(documents(), NAMES, TAGS)
def test_markers_change_their_values_and_no_other_byte(document, name, tag):
    text, count = document
    data, ref, editor = text.encode(), parse_ref(f"{name}:{tag}"), MarkerEditor()
    requests = wishes_for(editor, "a.yaml", data, Locator(name="ns:p"), ref)
    edit = editor.edit("a.yaml", data, requests)
    assert len(requests) == count
    assert edit.refused == ()
    before, after = text.split("\n"), edit.after.decode().split("\n")
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        if "$imagepolicy" not in old:
            assert new == old
        else:
            key, comment = old.partition(":")[0], old[old.index("#") :]
            assert new.startswith(key)
            assert new.endswith(comment)
    again = editor.read("a.yaml", edit.after)
    assert {str(reading.written) for reading in again.readings} <= {str(ref)}
    second = editor.edit("a.yaml", edit.after, wishes_for(editor, "a.yaml", edit.after, Locator(name="ns:p"), ref))
    assert (second.after, second.changes) == (edit.after, ())
    changed = [new for old, new in zip(values_of(text), values_of(edit.after.decode()), strict=True) if old != new]
    assert set(changed) <= {str(ref)}


@LAWS
@given(
    st.recursive(
        TAGS, lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(TAGS, inner, min_size=1, max_size=3)
    ),
    TAGS,
    st.data(),
)
def test_any_key_of_any_values_file_can_be_written_and_read_back(tree, new, data):
    if not isinstance(tree, dict):
        tree = {"root": tree}
    style = data.draw(st.sampled_from([None, True, False]))
    text = yaml.safe_dump(tree, default_flow_style=style, indent=data.draw(st.sampled_from([2, 4])), allow_unicode=True)
    steps, node = [], tree
    while not isinstance(node, str):
        step = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        steps.append(step)
        node = node[step]
    key = keypaths.show([f"{step}" if isinstance(step, str) else step for step in steps])
    edit = set_values("values.yaml", text.encode(), [(key, new)])
    assert edit.refused == ()
    found = yaml.safe_load(edit.after)
    for step in steps:
        found = found[step]
    assert found == new
    assert set_values("values.yaml", edit.after, [(key, new)]).changes == ()
    read = HelmEditor().read("values.yaml", edit.after, Locator(path="values.yaml", tag=key))
    assert [reading.parts[0].text for reading in read.readings] == [new]


@st.composite
def kustomizations(draw):
    """Give a kustomization with some entries of `images` in block or flow style."""
    names = draw(st.lists(st.sampled_from(["app", "nginx", "ghcr.io/org/app", "redis"]), unique=True, max_size=3))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    dash = draw(st.sampled_from(["- ", "  - ", "    -   "]))
    lines = ["kind: Kustomization", *draw(st.sampled_from([[], ["resources:", f"{dash}a.yaml", "# end"], ["x: 1", ""]]))]
    keys = [
        [
            f"name: {name}",
            *draw(st.sampled_from([[], ["newTag: v1"], ["newTag: 1.0", "digest: sha256:" + "0" * 64], ["newName: z"]])),
        ]
        for name in names
    ]
    if names and draw(st.booleans()):
        lines.append("images: [" + ", ".join("{" + ", ".join(entry) + "}" for entry in keys) + "]")
    elif names:
        lines.append("images:" + draw(st.sampled_from(["", " # all"])))
        for entry in keys:
            lines += [f"{dash}{entry[0]}", *(f"{' ' * len(dash)}{line}" for line in entry[1:])]
    elif draw(st.booleans()):
        lines.append(draw(st.sampled_from(["images: []", "images:", "images: null # none"])))
    lines += draw(st.sampled_from([[], ["namespace: x"], ["# trailing"]]))
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


@LAWS
@given(
    kustomizations(),
    st.sampled_from(["app", "nginx", "ghcr.io/org/app", "postgres"]),
    TAGS,
    st.sampled_from(["", "@sha256:" + "a" * 64]),
)
def test_an_entry_says_what_was_wished_and_stands_once(text, name, tag, digest):
    editor, ref, locator = KustomizeEditor(), parse_ref(f"quay.io/org/next:{tag}{digest}"), Locator(name=name)
    data = text.encode()
    edit = editor.edit("kustomization.yaml", data, wishes_for(editor, "kustomization.yaml", data, locator, ref))
    assert edit.refused == ()
    before, after = yaml.safe_load(text), yaml.safe_load(edit.after)
    mine = [entry for entry in after["images"] if entry["name"] == name]
    assert len(mine) == 1
    assert mine[0]["newName"] == "quay.io/org/next"
    assert mine[0].get("newTag") == tag
    assert mine[0].get("digest", "") == digest.removeprefix("@")
    others = [entry for entry in after["images"] if entry["name"] != name]
    assert others == [entry for entry in before.get("images") or [] if entry["name"] != name]
    assert {key: value for key, value in before.items() if key != "images"} == {
        key: value for key, value in after.items() if key != "images"
    }
    again = editor.edit("kustomization.yaml", edit.after, wishes_for(editor, "kustomization.yaml", edit.after, locator, ref))
    assert (again.after, again.changes) == (edit.after, ())


@LAWS
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_bring_an_editor_down(data):
    marked = data + b'\nimage: x:1 # {"$imagepolicy": "ns:p"}\n'
    for editor, locator in (
        (MarkerEditor(("*",)), None),
        (HelmEditor(), Locator(tag="image")),
        (KustomizeEditor(), Locator(name="x")),
    ):
        for path in ("kustomization.yaml", "x.env"):
            requests = wishes_for(editor, path, marked, locator or Locator(), parse_ref("x:2"))
            edit = editor.edit(path, marked, requests)
            assert edit.before == marked
