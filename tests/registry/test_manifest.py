"""Promises about what is read from manifests, and what is refused; no network."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.answers import drive
from updater.errors import RegistryProtocolError
from updater.model.candidate import Description
from updater.model.image import Digest, Platform, parse_digest, parse_platform
from updater.registry.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    ImageDocument,
    ImageIndex,
    ImageManifest,
    check_digest,
    decode_object,
    describing,
    read_manifest,
    read_platform,
    read_time,
)

ROOT = Digest(algorithm="sha256", encoded="0" * 64)
CREATED = "org.opencontainers.image.created"
HELM = "application/vnd.cncf.helm.config.v1+json"


def packed(content: object) -> tuple[bytes, str]:
    body = json.dumps(content).encode()
    return body, "sha256:" + hashlib.sha256(body).hexdigest()


def pointer(content: object, media_type: str, **more: object) -> dict[str, object]:
    body, digest = packed(content)
    return {"mediaType": media_type, "digest": digest, "size": len(body), **more}


def config(created: object = "2024-05-06T07:08:09Z", architecture: str = "amd64", **more: object) -> dict[str, object]:
    return {"os": "linux", "architecture": architecture, "created": created, **more}


def manifest(inner: object, *, media_type: str = OCI_CONFIG, **more: object) -> dict[str, object]:
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": pointer(inner, media_type), "layers": [], **more}


def index(*entries: object, **more: object) -> dict[str, object]:
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries), **more}


def of(content: object, media_type: str = "") -> ImageDocument:
    return ImageDocument(packed(content)[0], media_type)


def platform(text: str) -> dict[str, str]:
    found = parse_platform(text)
    return {"os": found.os, "architecture": found.architecture, **({"variant": found.variant} if found.variant else {})}


class TestKinds:
    @pytest.mark.parametrize(
        "declared", [OCI_MANIFEST, DOCKER_MANIFEST, "", "application/json", f"{OCI_MANIFEST}; charset=utf-8"]
    )
    def test_an_image_is_known_by_its_type(self, declared):
        content = manifest(config())
        content["mediaType"] = DOCKER_MANIFEST if declared == DOCKER_MANIFEST else OCI_MANIFEST
        assert isinstance(read_manifest(of(content, declared)), ImageManifest)

    @pytest.mark.parametrize("declared", [OCI_INDEX, DOCKER_LIST, "", "text/plain"])
    def test_an_index_is_known_by_its_type(self, declared):
        content = index()
        if declared == DOCKER_LIST:
            content["mediaType"] = DOCKER_LIST
        assert isinstance(read_manifest(of(content, declared)), ImageIndex)

    def test_without_any_type_the_keys_decide(self):
        assert isinstance(read_manifest(of({"manifests": []})), ImageIndex)
        assert isinstance(read_manifest(of({"config": pointer({}, OCI_CONFIG)})), ImageManifest)

    @pytest.mark.parametrize(
        ("content", "declared", "code"),
        [
            (manifest(config()), OCI_INDEX, "manifest-malformed"),
            (manifest(config(), manifests=[]), "", "manifest-malformed"),
            (index(layers=[]), OCI_INDEX, "manifest-malformed"),
            ({"schemaVersion": 1, "fsLayers": []}, "", "manifest-schema"),
            ({"fsLayers": []}, "application/vnd.docker.distribution.manifest.v1+prettyjws", "manifest-schema"),
            ({"mediaType": "application/vnd.example+json"}, "", "manifest-kind"),
            ({"mediaType": 5}, "", "manifest-malformed"),
            ({}, "", "manifest-malformed"),
            ([], OCI_INDEX, "manifest-malformed"),
            ({"manifests": {}}, OCI_INDEX, "manifest-malformed"),
            ({"manifests": [5]}, OCI_INDEX, "manifest-malformed"),
            ({"manifests": [{"digest": "sha256:x"}]}, OCI_INDEX, "manifest-malformed"),
            ({"manifests": [{}]}, OCI_INDEX, "manifest-malformed"),
            ({"manifests": [{}] * 1000}, OCI_INDEX, "registry-too-large"),
            ({"config": None}, OCI_MANIFEST, "manifest-malformed"),
            ({"config": {"digest": "sha256:" + "a" * 64, "size": 10**12}}, OCI_MANIFEST, "registry-too-large"),
        ],
    )
    def test_what_contradicts_itself_is_refused_with_a_code(self, content, declared, code):
        with pytest.raises(RegistryProtocolError) as refused:
            read_manifest(of(content, declared))
        assert (refused.value.code, bool(refused.value.hint)) == (code, True)

    @pytest.mark.parametrize(
        "body", [b"", b"<html>login</html>", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b'{"a": ' + b"[" * 5000]
    )
    def test_what_is_not_json_is_named(self, body):
        with pytest.raises(RegistryProtocolError, match="text/html") as refused:
            decode_object(body, what="ghcr.io/a", media_type="text/html; charset=utf-8")
        assert refused.value.code == "registry-not-json"

    def test_of_duplicate_keys_the_last_counts_as_for_the_runtimes(self):
        assert decode_object(b'{"b": 1, "b": 2}', what="x") == {"b": 2}

    def test_a_number_beyond_all_measure_is_refused(self):
        with pytest.raises(RegistryProtocolError):
            decode_object(b'{"a": 1' + b"0" * 100_000 + b"}", what="x")


class TestDescription:
    def test_one_image_takes_two_documents(self):
        inner = config(config={"Labels": {"a": "b", "n": 5}}, variant="v8", architecture="arm64")
        top = manifest(inner)
        asked, found = drive(describing(ROOT), of(top, OCI_MANIFEST), of(inner))
        assert [wanted.is_blob for wanted in asked] == [False, True]
        assert asked[1].size == len(packed(inner)[0])
        assert found == Description(
            created=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), labels={"a": "b"}, platforms=(parse_platform("linux/arm64"),)
        )

    def test_of_an_index_one_image_stands_for_the_date_and_all_for_the_platforms(self):
        inner = config()
        child = manifest(inner)
        top = index(
            pointer({"x": 1}, OCI_MANIFEST, platform=platform("linux/arm/v7")),
            pointer(child, OCI_MANIFEST, platform=platform("linux/amd64")),
        )
        asked, found = drive(describing(ROOT), of(top, OCI_INDEX), of(child, OCI_MANIFEST), of(inner))
        assert len(asked) == 3
        assert str(asked[1].digest) == packed(child)[1]
        assert found.created == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
        assert found.platforms == (parse_platform("linux/arm/v7"), parse_platform("linux/amd64"))

    def test_attestations_signatures_and_unknown_platforms_are_no_images(self):
        inner = config()
        child = manifest(inner)
        top = index(
            pointer({"a": 1}, OCI_MANIFEST, platform={"os": "unknown", "architecture": "unknown"}),
            pointer({"b": 1}, OCI_MANIFEST, annotations={"vnd.docker.reference.type": "attestation-manifest"}),
            pointer({"c": 1}, OCI_MANIFEST, artifactType="application/vnd.example"),
            pointer(child, OCI_MANIFEST, platform=platform("linux/amd64")),
        )
        _, found = drive(describing(ROOT), of(top, OCI_INDEX), of(child, OCI_MANIFEST), of(inner))
        assert found.platforms == (parse_platform("linux/amd64"),)

    def test_an_entry_without_platform_is_asked_for_its_own(self):
        one, two = config(), config(architecture="s390x")
        first, second = manifest(one), manifest(two)
        top = index(pointer(first, OCI_MANIFEST), pointer(second, OCI_MANIFEST))
        given = [of(top, OCI_INDEX), of(first, OCI_MANIFEST), of(one), of(second, OCI_MANIFEST), of(two)]
        _, found = drive(describing(ROOT), *given)
        assert {str(item) for item in found.platforms} == {"linux/amd64", "linux/s390x"}

    def test_nested_indexes_are_walked_and_each_digest_once(self):
        inner = config()
        child = manifest(inner)
        entry = pointer(child, OCI_MANIFEST, platform=platform("linux/amd64"))
        nested = index(entry, entry)
        top = index(pointer(nested, OCI_INDEX), pointer(nested, OCI_INDEX))
        asked, found = drive(describing(ROOT), of(top, OCI_INDEX), of(nested, OCI_INDEX), of(child, OCI_MANIFEST), of(inner))
        assert len(asked) == 4
        assert found.platforms == (parse_platform("linux/amd64"),)

    def test_indexes_nested_too_deep_are_refused(self):
        third = index()
        second = index(pointer(third, OCI_INDEX))
        first = index(pointer(second, OCI_INDEX))
        top = index(pointer(first, OCI_INDEX))
        with pytest.raises(RegistryProtocolError, match="nested"):
            drive(describing(ROOT), of(top, OCI_INDEX), of(first, OCI_INDEX), of(second, OCI_INDEX))

    def test_an_index_that_calls_an_image_an_index_does_no_harm(self):
        inner = manifest(config())
        top = index(pointer(inner, OCI_INDEX))
        _, found = drive(describing(ROOT), of(top, OCI_INDEX), of(inner, OCI_MANIFEST))
        assert found == Description()

    def test_the_number_of_documents_is_bounded(self):
        entries = [pointer({"number": number}, OCI_MANIFEST) for number in range(400)]
        steps = describing(ROOT)
        next(steps)
        wanted = steps.send(of(index(*entries), OCI_INDEX))
        count = 0
        inner = config()
        while True:
            count += 1
            try:
                wanted = steps.send(of(inner) if wanted.is_blob else of(manifest(inner), OCI_MANIFEST))
            except StopIteration:
                break
        assert count <= 40

    def test_an_empty_index_has_what_its_annotations_say(self):
        _, found = drive(describing(ROOT), of(index(annotations={CREATED: "2024-01-01T00:00:00Z"}), OCI_INDEX))
        assert (found.created, found.platforms) == (datetime(2024, 1, 1, tzinfo=UTC), ())

    def test_a_chart_is_described_without_asking_for_its_configuration(self):
        top = manifest({"name": "chart"}, media_type=HELM, annotations={CREATED: "2024-01-01T00:00:00Z"})
        asked, found = drive(describing(ROOT), of(top, OCI_MANIFEST))
        assert len(asked) == 1
        assert (found.created, found.platforms) == (datetime(2024, 1, 1, tzinfo=UTC), ())

    @pytest.mark.parametrize("is_true", [True, False])
    def test_a_configuration_carried_inline_is_used_if_its_digest_is_right(self, is_true):
        inner = config()
        body = packed(inner)[0] if is_true else b'{"created": "2030-01-01T00:00:00Z"}'
        top = manifest(inner)
        top["config"]["data"] = base64.b64encode(body).decode()
        asked, _ = drive(describing(ROOT), of(top, OCI_MANIFEST), *([] if is_true else [of(inner)]))
        assert len(asked) == (1 if is_true else 2)

    def test_inline_data_that_is_no_base64_is_ignored(self):
        inner = config()
        top = manifest(inner)
        top["config"]["data"] = "%%%"
        assert len(drive(describing(ROOT), of(top, OCI_MANIFEST), of(inner))[0]) == 2

    @pytest.mark.parametrize("inner", [[], "text", None, 5])
    def test_a_configuration_that_is_no_object_is_an_error(self, inner):
        with pytest.raises(RegistryProtocolError):
            drive(describing(ROOT), of(manifest(inner), OCI_MANIFEST), of(inner))

    @pytest.mark.parametrize(
        ("annotations", "labels", "created", "expected"),
        [
            ({}, {}, "2024-05-06T07:08:09Z", "2024-05-06"),
            ({CREATED: "2020-01-01T00:00:00Z"}, {}, "2024-05-06T07:08:09Z", "2020-01-01"),
            ({"org.label-schema.build-date": "2020-01-01T00:00:00Z"}, {}, None, "2020-01-01"),
            ({}, {CREATED: "2023-01-01T00:00:00Z"}, "2024-05-06T07:08:09Z", "2024-05-06"),
            ({}, {CREATED: "2025-01-01T00:00:00Z"}, "2024-05-06T07:08:09Z", "2025-01-01"),
            ({}, {"org.label-schema.build-date": "2025-01-01T00:00:00Z"}, "1970-01-01T00:00:00Z", "2025-01-01"),
            ({}, {}, None, None),
        ],
    )
    def test_a_date_is_the_annotation_else_the_later_of_label_and_configuration(self, annotations, labels, created, expected):
        inner = config(created, config={"Labels": labels})
        _, found = drive(describing(ROOT), of(manifest(inner, annotations=annotations), OCI_MANIFEST), of(inner))
        assert (found.created.date().isoformat() if found.created else None) == expected

    def test_a_configuration_without_date_has_none(self):
        """argo-091 differs: the peer fails; here the policy says what a missing date means."""
        inner = {"os": "linux", "architecture": "amd64"}
        _, found = drive(describing(ROOT), of(manifest(inner), OCI_MANIFEST), of(inner))
        assert found.created is None

    def test_annotations_win_over_inherited_labels(self):
        inner = config(config={"Labels": {"source": "base", "only": "label"}})
        _, found = drive(describing(ROOT), of(manifest(inner, annotations={"source": "own"}), OCI_MANIFEST), of(inner))
        assert found.labels == {"source": "own", "only": "label"}

    def test_the_size_of_all_labels_is_bounded(self):
        inner = config(config={"Labels": {f"label-{number}": "x" * 10_000 for number in range(100)}})
        _, found = drive(describing(ROOT), of(manifest(inner), OCI_MANIFEST), of(inner))
        assert sum(len(value) for value in found.labels.values()) <= 65536


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2024-05-06T07:08:09Z", 2024),
        ("2024-05-06T07:08:09.123456789Z", 2024),
        ("2024-05-06T07:08:09+02:00", 2024),
        ("2024-05-06T07:08:09", 2024),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("1980-01-01T00:00:01Z", None),
        ("0001-01-01T00:00:00+12:00", None),
        ("2024-05-06 07:08:09 +0000 UTC", None),
        ("2024-05-06T07:08:60Z", None),
        ("yesterday", None),
        ("", None),
        ("2" * 100, None),
        (5, None),
        (None, None),
    ],
)
def test_times_are_read_as_go_writes_them_and_placeholders_are_none(text, year):
    found = read_time(text)
    assert (found.year if found else None) == year
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"os": "linux", "architecture": "amd64"}, Platform(os="linux", architecture="amd64")),
        ({"os": "linux", "architecture": "aarch64", "variant": "v8"}, Platform(os="linux", architecture="arm64")),
        ({"os": "unknown", "architecture": "unknown"}, None),
        ({"os": "", "architecture": "amd64"}, None),
        ({"os": 5, "architecture": "amd64"}, None),
        ({}, None),
    ],
)
def test_a_platform_is_read_or_unknown(content, expected):
    assert read_platform(content) == expected


def test_content_is_proved_by_its_digest():
    body = b"content"
    check_digest(body, parse_digest("sha256:" + hashlib.sha256(body).hexdigest()), what="x")
    check_digest(body, parse_digest("sha512:" + hashlib.sha512(body).hexdigest()), what="x")
    with pytest.raises(RegistryProtocolError) as refused:
        check_digest(b"other", parse_digest("sha256:" + hashlib.sha256(body).hexdigest()), what="x")
    assert refused.value.code == "digest-mismatch"
    with pytest.raises(RegistryProtocolError) as refused:
        check_digest(body, parse_digest("blake3:" + "a" * 64), what="x")
    assert refused.value.code == "digest-algorithm"


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from([OCI_INDEX, OCI_MANIFEST, "sha256:" + "a" * 64]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["mediaType", "manifests", "config", "digest", "size", "platform", "os", "annotations", "data", "layers"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(_JSON, _JSON, st.sampled_from(["", OCI_INDEX, OCI_MANIFEST, "text/html"]))
def test_any_json_is_described_or_refused(top, inner, declared):
    steps = describing(ROOT)
    next(steps)
    try:
        steps.send(of(top, declared))
        for _ in range(100):
            steps.send(of(inner, declared))
    except StopIteration as end:
        assert isinstance(end.value, Description)  # noqa: PT017 - any document may be either
    except RegistryProtocolError as refused:
        assert refused.hint  # noqa: PT017
