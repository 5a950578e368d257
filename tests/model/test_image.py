"""Promises of the one parser of image references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.errors import ImageSyntaxError
from updater.model.image import (
    AliasedImage,
    ImageRef,
    Platform,
    is_tag,
    normalise_platform,
    parse_aliased,
    parse_digest,
    parse_name,
    parse_platform,
    parse_ref,
)

SUM = "6745aaad46d795c9836632e1fb62f24b7e7f4c843144da8e47a5465c411a14be"


@pytest.mark.parametrize(
    ("text", "registry", "path", "tag", "digest"),
    [
        pytest.param("jannfis/test-image:0.1", "docker.io", "jannfis/test-image", "0.1", None, id="argo-000"),
        pytest.param("test-image", "docker.io", "library/test-image", None, None, id="argo-001"),
        pytest.param("library/test-image", "docker.io", "library/test-image", None, None, id="argo-002"),
        pytest.param("docker.io/jannfis/test-image:0.1", "docker.io", "jannfis/test-image", "0.1", None, id="argo-003"),
        pytest.param(
            f"gcr.io/jannfis/test-image:latest-bookworm@sha256:{SUM}",
            "gcr.io",
            "jannfis/test-image",
            "latest-bookworm",
            SUM,
            id="argo-006",
        ),
        pytest.param(f"gcr.io/jannfis/test-image@sha256:{SUM}", "gcr.io", "jannfis/test-image", None, SUM, id="argo-007"),
        pytest.param("example.com/foo/bar", "example.com", "foo/bar", None, None, id="flux-290"),
        pytest.param("alpine", "docker.io", "library/alpine", None, None, id="flux-293"),
        ("localhost:5000/image", "localhost:5000", "image", None, None),
        ("localhost/image:1", "localhost", "image", "1", None),
        ("registry:5000/classic-web", "registry:5000", "classic-web", None, None),
        ("[2001:db8::1]:5000/a/b:1.0", "[2001:db8::1]:5000", "a/b", "1.0", None),
        ("[::1]/a", "[::1]", "a", None, None),
        ("index.docker.io/nginx", "docker.io", "library/nginx", None, None),
        ("docker.io/library/nginx:1.0", "docker.io", "library/nginx", "1.0", None),
        ("Registry/app", "registry", "app", None, None),
        ("GHCR.io/org/app", "ghcr.io", "org/app", None, None),
        ("host:5000", "docker.io", "library/host", "5000", None),
        ("ghcr.io/a__b/c--d/e.f_g", "ghcr.io", "a__b/c--d/e.f_g", None, None),
        (f"app:1@sha512:{'ab' * 64}", "docker.io", "library/app", "1", "ab" * 64),
    ],
)
def test_a_reference_is_read_into_registry_path_tag_and_digest(text, registry, path, tag, digest):
    found = parse_ref(text)
    assert (found.name.registry, found.name.path, found.tag) == (registry, path, tag)
    assert (found.digest.encoded if found.digest else None) == digest
    assert str(found) == text, "what was written is what gets written"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("gcr.io/jannfis/test-image@sha256:abcde", id="argo-004"),
        pytest.param("gcr.io/jannfis/test-image:test-tag@sha256:abcde", id="argo-005"),
        pytest.param("https://example.com/foo/bar", id="flux-291"),
        "",
        "/",
        "app:",
        "app@",
        "app:a b",
        "ghcr.io/",
        "ghcr.io//app",
        "ghcr.io/-app",
        "ghcr.io/app\n",
        "app:1\n",
        "Upper/Case/App",
        "ghcr.io/Org/app",
        "ex_ample.com/app",
        "host:port/app",
        "host:123456/app",
        "[::1/app",
        SUM,
        "a" * 256,
        "app:" + "t" * 129,
        f"app@sha256:{SUM.upper()}",
        f"app@sha256:{SUM}00",
        f"app@md5{SUM}",
    ],
)
def test_what_is_no_reference_is_refused_with_a_hint(text):
    with pytest.raises(ImageSyntaxError) as refused:
        parse_ref(text)
    assert refused.value.hint
    assert refused.value.code == "image-syntax"


@pytest.mark.parametrize("text", [pytest.param("example.com/foo/bar:baz", id="flux-292"), f"example.com/foo/bar@sha256:{SUM}"])
def test_a_name_has_no_tag_and_no_digest(text):
    with pytest.raises(ImageSyntaxError, match="only a name") as refused:
        parse_name(text)
    assert refused.value.hint == "write example.com/foo/bar"


@pytest.mark.parametrize(
    ("text", "alias", "image", "constraint"),
    [
        pytest.param(
            "jannfis/orig-image=gcr.io/jannfis/test-image:0.1",
            "jannfis/orig-image",
            "gcr.io/jannfis/test-image",
            "0.1",
            id="argo-008",
        ),
        pytest.param(
            "ghcr.io:4567/jannfis/orig-image=gcr.io:1234/jannfis/test-image:0.1",
            "ghcr.io:4567/jannfis/orig-image",
            "gcr.io:1234/jannfis/test-image",
            "0.1",
            id="argo-009",
        ),
        pytest.param(
            "jannfis/orig-image=gcr.io/jannfis/test-image", "jannfis/orig-image", "gcr.io/jannfis/test-image", None, id="argo-010"
        ),
        pytest.param("classic-web=registry:5000/classic-web", "classic-web", "registry:5000/classic-web", None, id="argo-011"),
        pytest.param("nginx:>=1.0", None, "nginx", ">=1.0", id="argo-020-differs"),
        pytest.param("localhost:5000/foo:^1.0", None, "localhost:5000/foo", "^1.0", id="argo-021-differs"),
        pytest.param("docker.io/library/nginx:1.0", None, "docker.io/library/nginx", "1.0", id="argo-022"),
        pytest.param("=nginx:1", None, "nginx", "1", id="argo-023"),
        ("web=nginx:~1.2 || ^3", "web", "nginx", "~1.2 || ^3"),
        ("nginx:>=1.0, <2", None, "nginx", ">=1.0, <2"),
        ("nginx:!=1.5", None, "nginx", "!=1.5"),
        ("nginx:=1.5", None, "nginx", "=1.5"),
        ("web=nginx:=1.5", "web", "nginx", "=1.5"),
        ("nginx:1.x", None, "nginx", "1.x"),
        ("[::1]:5000/app:^1", None, "[::1]:5000/app", "^1"),
        ("nginx", None, "nginx", None),
    ],
)
def test_an_entry_of_an_image_list_may_hold_alias_port_and_any_operator(text, alias, image, constraint):
    found = parse_aliased(text)
    assert (found.alias or None, str(found.image), found.constraint) == (alias, image, constraint)


@pytest.mark.parametrize("text", [f"web=nginx@sha256:{SUM}", f"web=nginx:1.0@sha256:{SUM}"])
def test_an_entry_of_an_image_list_may_hold_a_digest(text):
    found = parse_aliased(text)
    assert found == AliasedImage(
        alias="web", image=parse_name("nginx"), constraint="1.0" if ":1.0" in text else None, digest=parse_digest(f"sha256:{SUM}")
    )


@pytest.mark.parametrize("text", ["", " ", "web=", "Web/App/=x y"])
def test_an_entry_without_an_image_is_refused(text):
    with pytest.raises(ImageSyntaxError):
        parse_aliased(text)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param("x/foo:1", "x/foo:2", True, id="argo-012"),
        pytest.param("x/foo", "docker.io/x/foo", True, id="argo-014"),
        pytest.param("nginx", "index.docker.io/library/nginx", True, id="short-form"),
        pytest.param("localhost:5000/image", "image", False, id="argo-015"),
        pytest.param("docker.io/bitnami/nginx", "bitnami/nginx", True, id="argo-017"),
        pytest.param("localhost:5000/image", "localhost:5000/image", True, id="argo-018"),
        pytest.param("docker.io/a/b/c", "a/b/c", True, id="argo-019"),
    ],
)
def test_names_are_equal_when_they_name_one_image_however_they_are_spelled(one, other, is_same):
    assert (parse_ref(one).name == parse_ref(other).name) is is_same


def test_references_that_differ_in_their_tag_are_not_equal():
    """argo-013."""
    assert parse_ref("x/foo:1") != parse_ref("x/foo:2")


def test_an_empty_text_names_no_registry():
    """argo-016."""
    with pytest.raises(ImageSyntaxError):
        parse_name("")


@pytest.mark.parametrize(
    ("wanted", "offered", "accepted"),
    [
        pytest.param(["linux/arm", "linux/arm/v7"], "linux/arm/v8", True, id="argo-072"),
        pytest.param(["linux/arm/v7", "linux/arm/v8"], "linux/arm/v6", False, id="argo-073"),
        (["linux/amd64"], "linux/x86_64", True),
        (["linux/arm64"], "linux/aarch64/v8", True),
        (["linux/arm64/v8"], "linux/arm64", True),
        (["linux/amd64"], "windows/amd64", False),
        (["linux/amd64/v2"], "linux/amd64/v3", False),
        (["linux/arm/v7"], "linux/armhf", True),
        (["linux/arm/v6"], "linux/armel", True),
    ],
)
def test_a_platform_accepts_its_own_kind_and_any_variant_when_it_names_none(wanted, offered, accepted):
    assert any(parse_platform(text).accepts(parse_platform(offered)) for text in wanted) is accepted


@pytest.mark.parametrize("text", [pytest.param("invalid", id="argo-074"), "", "linux/", "linux/amd64/v1/x", "linux amd64"])
def test_what_is_no_platform_is_refused(text):
    with pytest.raises(ImageSyntaxError):
        parse_platform(text)


def test_variants_are_folded_to_one_spelling():
    assert normalise_platform("Linux", "ARM", "7") == Platform(os="linux", architecture="arm", variant="v7")
    assert normalise_platform("linux", "amd64", "v1") == Platform(os="linux", architecture="amd64")


@pytest.mark.parametrize("text", ["sha256", "sha256:", "sha256:xyz", ":abc", f"SHA256:{SUM}", f"sha256:{SUM}\n"])
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(ImageSyntaxError):
        parse_digest(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text):
    for parse in (parse_ref, parse_name, parse_aliased, parse_platform, parse_digest):
        try:
            parse(text)
        except ImageSyntaxError as refused:
            assert refused.hint, parse  # noqa: PT017 - any text may be either


_COMPONENT = st.from_regex(r"\A[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?\Z")


@given(
    registry=st.sampled_from(["", "ghcr.io/", "localhost:5000/", "[::1]:443/"]),
    parts=st.lists(_COMPONENT, min_size=1, max_size=3),
    tag=st.none() | st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,20}\Z"),
    digest=st.none() | st.just(f"sha256:{SUM}"),
)
def test_what_was_read_is_written_back_as_it_was(registry, parts, tag, digest):
    text = registry + "/".join(parts) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    if not registry and ("." in parts[0] and len(parts) > 1):
        return  # the first part is a host then
    found = parse_ref(text)
    assert isinstance(found, ImageRef)
    assert str(found) == text
    assert (found.tag, str(found.digest) if found.digest else None) == (tag, digest)
    assert found.tag is None or is_tag(found.tag)
