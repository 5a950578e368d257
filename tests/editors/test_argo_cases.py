"""Argo CD Image Updater's cases of values files and kustomizations, under their ids, with our bytes."""

from __future__ import annotations

import pytest

from tests.editors.parts import edit_all
from updater.editors import references
from updater.editors.helm import HelmEditor
from updater.editors.kustomize import KustomizeEditor
from updater.model.image import parse_name
from updater.model.subscription import Locator

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
IMAGES = "images:\n- attributes:\n    name: repo-name\n    tag: v1.0.0\n"


def helm(text, ref, **keys):
    edit, problems = edit_all(HelmEditor(), "values.yaml", text, (Locator(path="values.yaml", **keys), ref))
    return edit.after.decode(), [problem.code for problem in problems]


def kustomize(text, *asked):
    wanted = [(Locator(name=name), ref) for name, ref in asked]
    edit, problems = edit_all(KustomizeEditor(), "kustomization.yaml", text, *wanted)
    return edit.after.decode(), [problem.code for problem in problems]


@pytest.mark.parametrize(
    ("name", "has_registry"),
    [
        pytest.param("docker.io/bitnami/nginx", True, id="argo-014"),
        pytest.param("localhost:5000/image", True, id="argo-015"),
        pytest.param("", False, id="argo-016"),
    ],
)
def test_a_first_part_with_dot_colon_or_localhost_is_a_registry(name, has_registry):
    assert references.has_registry(name) is has_registry


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        pytest.param("bitnami/other", "docker.io/bitnami/nginx", "bitnami/nginx", id="argo-017"),
        pytest.param("other", "localhost:5000/image", "localhost:5000/image", id="argo-018"),
        pytest.param("other", "docker.io/a/b/c", "a/b/c", id="argo-019"),
        pytest.param("bitnami/nginx", "docker.io/bitnami/nginx", "bitnami/nginx", id="argo-127"),
        pytest.param("docker.io/bitnami/nginx", "docker.io/bitnami/nginx", "docker.io/bitnami/nginx", id="argo-128"),
        pytest.param("", "docker.io/bitnami/nginx", "docker.io/bitnami/nginx", id="no-name-yet"),
    ],
)
def test_a_short_name_stays_short(old, new, kept):
    assert references.keep_spelling(old, parse_name(new)) == kept


def test_argo_103_entries_of_one_name_are_merged_never_doubled():
    digest = "sha256:" + "1" * 64
    text, codes = kustomize(HEAD, ("foo", "bar:123"), ("baz", f"baz@{digest}"), ("bar", "bar:123"))
    # the entry foo already carries bar as its new name: no second one is written for it
    assert text == HEAD + f"images:\n- name: foo\n  newName: bar\n  newTag: '123'\n- name: baz\n  digest: {digest}\n".replace(
        "'", '"'
    )
    assert codes == []


def test_argo_104_blank_lines_comments_separators_and_directives_stay():
    text = "%YAML 1.2\n# leading\n---\nkind: Kustomization\n\nimages:\n\n- name: app # a\n  newTag: v1\n"
    assert kustomize(text, ("app", "app:v2")) == (text.replace("v1", "v2"), [])


def test_argo_105_no_separator_is_added():
    text = "kind: Kustomization\nimages:\n- name: app\n  newTag: v1\n"
    assert kustomize(text, ("app", "app:v2")) == (text.replace("newTag: v1", "newTag: v2"), [])


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [
        pytest.param(
            "- name: nginx\n  newTag: latest\n",
            [("nginx", f"nginx:latest@sha256:{'9' * 64}")],
            f"- name: nginx\n  newTag: latest\n  digest: sha256:{'9' * 64}\n",
            id="argo-106",
        ),
        pytest.param(
            "- name: quay.io/nginx\n  newTag: latest\n",
            [("docker.io/nginx", "docker.io/nginx:latest")],
            "- name: quay.io/nginx\n  newTag: latest\n- name: docker.io/nginx\n  newTag: latest\n",
            id="argo-107",
        ),
        pytest.param(
            "- name: docker.io/jannfis/foobar\n  newTag: 1.0.0\n",
            [("jannfis/foobar", "jannfis/foobar:1.0.1")],
            "- name: docker.io/jannfis/foobar\n  newTag: 1.0.1\n",
            id="argo-108",
        ),
        pytest.param(
            "- name: baz\n",
            [("foo", "foo"), ("bar", "bar")],
            "- name: baz\n- name: foo\n- name: bar\n",
            id="argo-109",
        ),
        pytest.param(
            "- name: existing\n  newTag: latest\n- name: updated\n  newTag: old\n",
            [("new", "new"), ("updated", "updated:latest")],
            "- name: existing\n  newTag: latest\n- name: updated\n  newTag: latest\n- name: new\n",
            id="argo-110",
        ),
    ],
)
def test_entries_are_merged_in_place_and_new_ones_stand_last(before, asked, after):
    assert kustomize(f"{HEAD}images:\n{before}", *asked) == (f"{HEAD}images:\n{after}", [])


@pytest.mark.parametrize(
    ("text", "keys", "after", "codes"),
    [
        pytest.param(
            "images:\n- tag: v1.0.0\n- tag: v2.0.0\n",
            {"tag": "images[1].tag"},
            "images:\n- tag: v1.0.0\n- tag: v9\n",
            [],
            id="argo-116",
        ),
        pytest.param(
            "image:\n  attributes: &a\n    tag: v1\nother:\n  attributes: *a\n",
            {"tag": "other.attributes.tag"},
            "image:\n  attributes: &a\n    tag: v9\nother:\n  attributes: *a\n",
            [],
            id="argo-117",
        ),
        pytest.param("foo:\n  tag: v1.0.0\n", {"tag": "foo[2].tag"}, None, ["no-such-key"], id="argo-118"),
        pytest.param(
            "image:\n  attributes:\n    name: repo-name\n", {"tag": "image.attributes.tag"}, None, ["no-such-key"], id="argo-119"
        ),
        pytest.param("{}", {"tag": "image.attributes.tag"}, None, ["no-such-key"], id="argo-120"),
        pytest.param(
            "version: &ver v1.0.0\nimage:\n  tag: *ver\n",
            {"tag": "image.tag"},
            "version: &ver v9\nimage:\n  tag: *ver\n",
            [],
            id="argo-121",
        ),
        pytest.param(IMAGES, {"tag": "images[-1].attributes.tag"}, None, ["key-path"], id="argo-122"),
        pytest.param(IMAGES, {"tag": "images[invalid].attributes.tag"}, None, ["key-path"], id="argo-123"),
        pytest.param(IMAGES, {"tag": "images.attributes.tag"}, None, ["no-such-key"], id="argo-124"),
        pytest.param(
            "# values\n\nbase: &b # anchor\n  x: 1\n\nimage:   # the image\n  tag: v1     # the tag\n\n",
            {"tag": "image.tag"},
            "# values\n\nbase: &b # anchor\n  x: 1\n\nimage:   # the image\n  tag: v9     # the tag\n\n",
            [],
            id="argo-125",
        ),
        pytest.param("image:\n    tag: 'v1'\n", {"tag": "image.tag"}, "image:\n    tag: 'v9'\n", [], id="argo-126"),
        pytest.param("test-value1: one\n", {"spec": "image.spec.foo"}, None, ["no-such-key"], id="argo-129"),
        pytest.param(
            'image:\n    tag: "v1"   # c\n\nlist:\n    - a\n    - b\n',
            {"tag": "image.tag"},
            'image:\n    tag: "v9"   # c\n\nlist:\n    - a\n    - b\n',
            [],
            id="argo-132",
        ),
        pytest.param('a: "1"\n---\nb: 2\n', {"tag": "a"}, 'a: "v9"\n---\nb: 2\n', [], id="argo-133"),
        pytest.param('# head\n---\na: "1"\n', {"tag": "a"}, '# head\n---\na: "v9"\n', [], id="argo-134"),
        pytest.param("a.b: v0\na:\n  b: v1\n", {"tag": "a.b"}, "a.b: v0\na:\n  b: v9\n", [], id="argo-135"),
        pytest.param('a.b: "v0"\na:\n  b: "v1"\n', {"tag": "a.b"}, 'a.b: "v0"\na:\n  b: "v9"\n', [], id="argo-136"),
        pytest.param('a: "v1"\r\nb: 1\r\n', {"tag": "a"}, 'a: "v9"\r\nb: 1\r\n', [], id="argo-137"),
        pytest.param("a:\n  - - v1\n", {"tag": "a[0][0]"}, "a:\n  - - v9\n", [], id="argo-138"),
        pytest.param("a.b:\n  tag: v1\n", {"tag": "a.b.tag"}, "a.b:\n  tag: v9\n", [], id="argo-139"),
        pytest.param(
            "image.attributes.tag: v1\n", {"tag": "image.attributes.tag"}, "image.attributes.tag: v9\n", [], id="literal"
        ),
        pytest.param("image:\n  attributes: x\n", {"tag": "image.attributes.tag"}, None, ["no-such-key"], id="scalar-on-the-way"),
    ],
)
def test_a_values_file_changes_at_the_key_alone(text, keys, after, codes):
    assert helm(text, "app:v9", **keys) == (text if after is None else after, codes)


@pytest.mark.parametrize(
    ("text", "key", "after"),
    [
        pytest.param("tag: 1.19\n", "tag", 'tag: "1.20"\n', id="argo-130"),
        pytest.param("image:\n  tag: 1.19\n", "image.tag", 'image:\n  tag: "1.20"\n', id="argo-131"),
    ],
)
def test_a_tag_that_looks_like_a_number_is_quoted_at_any_depth(text, key, after):
    assert helm(text, "app:1.20", tag=key) == (after, [])
