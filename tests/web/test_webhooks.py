"""What each sender of webhooks says was pushed, and how it proves who it is; the shapes are those of their documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import jwt
import pytest

from updater.model.webhook import BranchPush, ImagePush, WebhookKind
from updater.web.webhooks import RECEIVERS, DeliveryError, Proof, WebhookDelivery

SECRET = b"s3cret"
DIGEST = "sha256:" + "ab" * 32


def image(registry, path, tag="1.2.3"):
    return ImagePush(registry=registry, path=path, tag=tag)


def digest_of(body, algorithm="sha256"):
    return hmac.new(SECRET, body, algorithm).hexdigest()


def delivery(document, headers=None, query=None):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return WebhookDelivery(headers=headers or {}, query=query or {}, body=body)


def read(kind, document, headers=None, query=None):
    return list(RECEIVERS[WebhookKind(kind)].read(document, delivery(document, headers, query)))


HUB = {"push_data": {"tag": "1.2.3", "pushed_at": 1760000000, "pusher": "ci"}, "repository": {"repo_name": "acme/app"}}
PACKAGE = {
    "name": "app",
    "package_type": "CONTAINER",
    "owner": {"login": "Acme"},
    "package_version": {
        "version": DIGEST,
        "package_url": "ghcr.io/Acme/app:1.2.3",
        "container_metadata": {"tag": {"name": "1.2.3", "digest": DIGEST}},
    },
}
GITEA_PACKAGE = {
    "action": "created",
    "package": {
        "type": "container",
        "name": "app",
        "version": "1.2.3",
        "owner": {"login": "acme"},
        "html_url": "https://git.example/acme/-/packages/container/app/1.2.3",
    },
}
QUAY = {
    "repository": "acme/app",
    "docker_url": "quay.io/acme/app",
    "homepage": "https://quay.io/repository/acme/app",
    "updated_tags": ["1.2.3", "latest"],
}
HARBOR_DATA = {
    "resources": [{"digest": DIGEST, "tag": "1.2.3", "resource_url": "h.example/acme/app:1.2.3"}],
    "repository": {"name": "app", "namespace": "acme", "repo_full_name": "acme/app"},
}
HARBOR = {"type": "PUSH_ARTIFACT", "occur_at": 1760000000, "operator": "ci", "event_data": HARBOR_DATA}
ACR = {
    "id": "1",
    "action": "push",
    "target": {"digest": DIGEST, "repository": "acme/app", "tag": "1.2.3"},
    "request": {"host": "acme.azurecr.io", "method": "PUT"},
}
ECR_EVENT = {
    "source": "aws.ecr",
    "detail-type": "ECR Image Action",
    "account": "111122223333",
    "region": "eu-west-1",
    "detail": {"result": "SUCCESS", "repository-name": "acme/app", "action-type": "PUSH", "image-tag": "1.2.3"},
}
ECR_HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"


def pubsub(message):
    return {"message": {"data": base64.b64encode(json.dumps(message).encode()).decode(), "messageId": "1"}}


GAR = pubsub({"action": "INSERT", "digest": f"eu-docker.pkg.dev/p/r/app@{DIGEST}", "tag": "eu-docker.pkg.dev/p/r/app:1.2.3"})
JFROG = {
    "domain": "docker",
    "event_type": "pushed",
    "data": {"repo_key": "docker-local", "path": "acme/app/1.2.3/list.manifest.json", "image_name": "acme/app", "tag": "1.2.3"},
    "jpd_origin": "https://acme.jfrog.io",
}
NEXUS = {
    "repositoryName": "docker-hosted",
    "action": "CREATED",
    "component": {"format": "docker", "name": "acme/app", "version": "1.2.3"},
}
ALIYUN = {
    "push_data": {"digest": DIGEST, "tag": "1.2.3"},
    "repository": {"region": "cn-hangzhou", "namespace": "acme", "name": "app", "repo_full_name": "acme/app"},
}
ZOT = {"name": "acme/app", "reference": "1.2.3", "digest": DIGEST, "manifest": "{}"}
PUSHED = {
    "id": "u1",
    "action": "push",
    "target": {"digest": DIGEST, "repository": "acme/app", "tag": "1.2.3"},
    "request": {"host": "reg.example:5000", "method": "PUT"},
}
CDEVENT = {
    "context": {"id": "1", "source": "/ci", "type": "dev.cdevents.artifact.published.0.2.0", "specversion": "0.4.1"},
    "subject": {"id": "pkg:oci/app@sha256%3Aab?repository_url=ghcr.io/acme/app&tag=1.2.3", "type": "artifact", "content": {}},
}
REPOSITORY = {"clone_url": "https://git.example/o/fleet.git", "ssh_url": "git@git.example:o/fleet.git"}
BRANCH = BranchPush(urls=("https://git.example/o/fleet.git", "git@git.example:o/fleet.git"), branch="main")
GITLAB = {
    "object_kind": "push",
    "ref": "refs/heads/main",
    "project": {"git_http_url": "https://git.example/o/fleet.git", "git_ssh_url": "git@git.example:o/fleet.git"},
}
BITBUCKET = {
    "repository": {"links": {"html": {"href": "https://bitbucket.org/o/fleet"}}},
    "push": {"changes": [{"new": {"type": "branch", "name": "main"}}, {"new": None}, {"new": {"type": "tag", "name": "v1"}}]},
}
DATA_CENTER = {
    "repository": {"links": {"clone": [{"href": "https://bb.example/scm/o/fleet.git", "name": "http"}]}},
    "changes": [{"ref": {"id": "refs/heads/main"}}],
}


@pytest.mark.parametrize(
    ("kind", "document", "headers", "pushes"),
    [
        ("generic", {"image": "ghcr.io/acme/app:1.2.3"}, {}, [image("ghcr.io", "acme/app")]),
        (
            "generic",
            {"images": ["nginx", "ghcr.io/a/b"]},
            {},
            [image("docker.io", "library/nginx", ""), image("ghcr.io", "a/b", "")],
        ),
        ("docker-hub", HUB, {}, [image("docker.io", "acme/app")]),
        ("docker-hub", {"push_data": {}, "repository": {"namespace": "a", "name": "b"}}, {}, [image("docker.io", "a/b", "")]),
        (
            "github",
            {"action": "published", "registry_package": PACKAGE},
            {"x-github-event": "registry_package"},
            [image("ghcr.io", "acme/app")],
        ),
        ("github", {"action": "published", "package": PACKAGE}, {"x-github-event": "package"}, [image("ghcr.io", "acme/app")]),
        ("github", {"action": "deleted", "package": PACKAGE}, {"x-github-event": "package"}, []),
        ("github", {"zen": "…"}, {"x-github-event": "ping"}, []),
        ("github", {"ref": "refs/heads/main", "repository": REPOSITORY}, {"x-github-event": "push"}, [BRANCH]),
        ("github", {"ref": "refs/tags/v1", "repository": REPOSITORY}, {"x-github-event": "push"}, []),
        ("quay", QUAY, {}, [image("quay.io", "acme/app"), image("quay.io", "acme/app", "latest")]),
        ("harbor", HARBOR, {}, [image("h.example", "acme/app")]),
        ("harbor", {**HARBOR, "type": "DELETE_ARTIFACT"}, {}, []),
        (
            "harbor",
            {"specversion": "1.0", "type": "harbor.artifact.pushed", "data": HARBOR_DATA},
            {"content-type": "application/cloudevents+json"},
            [image("h.example", "acme/app")],
        ),
        ("acr", ACR, {}, [image("acme.azurecr.io", "acme/app")]),
        ("acr", {"id": "1", "action": "ping"}, {}, []),
        ("ecr", ECR_EVENT, {}, [image(ECR_HOST, "acme/app")]),
        (
            "ecr",
            {**ECR_EVENT, "region": "cn-north-1"},
            {},
            [image("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn", "acme/app")],
        ),
        ("ecr", {**ECR_EVENT, "account": "evil.example/"}, {}, [image("", "acme/app")]),
        ("ecr", {**ECR_EVENT, "detail": {**ECR_EVENT["detail"], "action-type": "DELETE"}}, {}, []),
        ("google", GAR, {}, [image("eu-docker.pkg.dev", "p/r/app")]),
        ("google", pubsub({"action": "DELETE", "tag": "eu-docker.pkg.dev/p/r/app:1.2.3"}), {}, []),
        ("google", pubsub({"action": "INSERT", "digest": f"eu-docker.pkg.dev/p/r/app@{DIGEST}"}), {}, []),
        ("gitlab", GITLAB, {"x-gitlab-event": "Push Hook"}, [BRANCH]),
        ("gitlab", {"object_kind": "pipeline"}, {"x-gitlab-event": "Pipeline Hook"}, []),
        ("gitea", GITEA_PACKAGE, {"x-gitea-event": "package"}, [image("git.example", "acme/app")]),
        ("gitea", {**GITEA_PACKAGE, "action": "deleted"}, {"x-gitea-event": "package"}, []),
        ("gitea", {"ref": "refs/heads/main", "repository": REPOSITORY}, {"x-forgejo-event": "push"}, [BRANCH]),
        (
            "bitbucket",
            BITBUCKET,
            {"x-event-key": "repo:push"},
            [BranchPush(urls=("https://bitbucket.org/o/fleet",), branch="main")],
        ),
        (
            "bitbucket",
            DATA_CENTER,
            {"x-event-key": "repo:refs_changed"},
            [BranchPush(urls=("https://bb.example/scm/o/fleet.git",), branch="main")],
        ),
        (
            "artifactory",
            JFROG,
            {},
            [
                image("acme.jfrog.io", "docker-local/acme/app"),
                image("docker-local.acme.jfrog.io", "acme/app"),
                image("docker-local-acme.jfrog.io", "acme/app"),
            ],
        ),
        ("artifactory", {**JFROG, "event_type": "deleted"}, {}, []),
        ("nexus", NEXUS, {"x-nexus-webhook-id": "rm:repository:component"}, [image("", "acme/app")]),
        ("nexus", NEXUS, {"x-nexus-webhook-id": "rm:repository:asset"}, []),
        ("aliyun", ALIYUN, {}, [image("registry.cn-hangzhou.aliyuncs.com", "acme/app")]),
        ("zot", ZOT, {"ce-type": "zotregistry.image.updated"}, [image("", "acme/app")]),
        ("zot", {**ZOT, "reference": DIGEST}, {"ce-type": "zotregistry.image.updated"}, [image("", "acme/app", "")]),
        ("zot", ZOT, {"ce-type": "zotregistry.image.deleted"}, []),
        ("distribution", {"events": [PUSHED]}, {}, [image("reg.example:5000", "acme/app")]),
        ("distribution", {"events": [{**PUSHED, "action": "pull"}, {**PUSHED, "target": {"repository": "a"}}]}, {}, []),
        ("cdevents", CDEVENT, {}, [image("ghcr.io", "acme/app")]),
        (
            "cdevents",
            {**CDEVENT, "subject": {"id": "pkg:docker/acme/app@1.2.3?repository_url=gcr.io"}},
            {"ce-type": "dev.cdevents.artifact.published.0.2.0"},
            [image("gcr.io", "acme/app")],
        ),
        ("cdevents", {**CDEVENT, "subject": {"id": "pkg:npm/left-pad@1"}}, {}, []),
        (
            "cloudevents",
            {"specversion": "1.0", "type": "com.amazon.ecr.image.push", "data": ECR_EVENT["detail"]},
            {},
            [image("", "acme/app")],
        ),
        (
            "cloudevents",
            {"specversion": "1.0", "type": "org.example.container.pushed", "data": {"image": "r.example/a/b:1.2.3"}},
            {},
            [image("r.example", "a/b")],
        ),
    ],
)
def test_a_delivery_names_what_was_pushed(kind, document, headers, pushes):
    assert read(kind, document, headers) == pushes


def test_quay_without_a_host_is_the_public_quay():
    """argo-176."""
    assert read("quay", {**QUAY, "docker_url": "/acme/app"})[0].registry == "quay.io"


def test_github_names_owners_as_people_write_them_and_the_registry_in_lower_case():
    """argo-177."""
    document = {"action": "published", "package": {**PACKAGE, "package_version": {"package_url": "ghcr.io/ACME/App:"}}}
    assert read("github", document, {"x-github-event": "package"}) == [image("ghcr.io", "acme/app", "")]
    bare = {"action": "updated", "package": {**PACKAGE, "package_version": {}}}
    assert read("github", bare, {"x-github-event": "package"}) == [image("ghcr.io", "acme/app", "")]


def test_aliyun_without_a_region_is_taken_and_names_no_registry():
    """argo-178."""
    document = {"push_data": {"tag": "1.2.3"}, "repository": {"repo_full_name": "acme/app"}}
    assert read("aliyun", document) == [image("", "acme/app")]
    assert read("aliyun", document, query={"registry_url": "r.example"}) == [image("r.example", "acme/app")]


@pytest.mark.parametrize("kind", list(WebhookKind))
@pytest.mark.parametrize("document", [None, [], "text", 7, {}, {"events": {}}, {"repository": [], "push_data": None, "data": 1}])
def test_whatever_json_can_hold_is_understood_or_refused_and_breaks_nothing(kind, document):
    for headers in (
        {},
        {"x-github-event": "package"},
        {"ce-type": "dev.cdevents.artifact.published"},
        {"x-gitea-event": "package"},
    ):
        try:
            pushes = read(kind, document, headers)
        except DeliveryError:
            continue
        assert all(isinstance(push, (ImagePush, BranchPush)) for push in pushes)


def test_a_package_url_with_too_many_qualifiers_is_refused_as_malformed():
    purl = "pkg:oci/app?" + "&".join(f"q{number}=1" for number in range(30))
    with pytest.raises(DeliveryError, match="qualifiers"):
        read("cdevents", {**CDEVENT, "subject": {"id": purl}})


BODY = b'{"a": 1}'
SIGNED = {
    "github": ("x-hub-signature-256", "sha256=" + digest_of(BODY)),
    "gitea": ("x-gitea-signature", digest_of(BODY)),
    "bitbucket": ("x-hub-signature", "sha256=" + digest_of(BODY)),
    "artifactory": ("x-jfrog-event-auth", digest_of(BODY)),
    "nexus": ("x-nexus-webhook-signature", digest_of(BODY, "sha1")),
    "generic": ("x-hub-signature-256", "sha256=" + digest_of(BODY)),
}
OFFERS_THE_SECRET = sorted({kind.value for kind in WebhookKind} - set(SIGNED) | {"generic", "artifactory"})


def proof(kind, *, body=BODY, headers=None, query=None):
    verifier = RECEIVERS[WebhookKind(kind)].verifier
    return verifier.check(delivery(body, headers, query), SECRET)


@pytest.mark.parametrize("kind", SIGNED)
def test_a_signature_fits_the_bytes_that_were_sent_and_no_others(kind):
    header, value = SIGNED[kind]
    assert RECEIVERS[WebhookKind(kind)].verifier.needs_body
    assert proof(kind, headers={header: value}) is Proof.FITS
    assert proof(kind, body=b'{"a":1}', headers={header: value}) is Proof.WRONG
    assert proof(kind, headers={header: "sha256=" + "0" * 64}) is Proof.WRONG
    assert proof(kind, headers={header: "\udcff…"}) is Proof.WRONG
    assert proof(kind) is Proof.MISSING


@pytest.mark.parametrize("kind", OFFERS_THE_SECRET)
@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": "s3cret"}, {}),
        ({"authorization": "Bearer s3cret"}, {}),
        ({"authorization": "Basic " + base64.b64encode(b"sns:s3cret").decode()}, {}),
        ({"x-webhook-secret": "s3cret"}, {}),
        ({}, {"secret": "s3cret"}),
    ],
)
def test_who_signs_nothing_sends_the_secret_in_a_header_or_in_the_query(kind, headers, query):
    assert proof(kind, headers=headers, query=query) is Proof.FITS
    wrong = {name: value.replace("s3cret", "S3cret") for name, value in headers.items() if "Basic" not in value}
    if wrong or query:
        assert proof(kind, headers=wrong, query=dict.fromkeys(query, "s3cre")) is Proof.WRONG


@pytest.mark.parametrize("kind", sorted(set(SIGNED) - {"generic", "artifactory"}))
def test_who_signs_is_never_believed_for_the_secret_alone(kind):
    assert proof(kind, headers={"authorization": "s3cret"}, query={"secret": "s3cret"}) is Proof.MISSING


def test_the_token_of_pubsub_is_not_taken_for_the_secret_and_does_not_stand_in_its_way():
    token = {"authorization": f"Bearer {jwt.encode({'iss': 'https://accounts.google.com'}, 'k' * 32)}"}
    assert proof("google", headers=token) is Proof.WRONG
    assert proof("google", headers=token, query={"secret": "s3cret"}) is Proof.FITS


def test_gitlab_sends_its_token_in_a_header_of_its_own():
    assert proof("gitlab", headers={"x-gitlab-token": "s3cret"}) is Proof.FITS
    assert proof("gitlab", headers={"x-gitlab-token": "other"}) is Proof.WRONG


def test_a_digest_of_sha256_of_another_secret_is_wrong():
    other = hmac.new(b"other", BODY, hashlib.sha256).hexdigest()
    assert proof("github", headers={"x-hub-signature-256": f"sha256={other}"}) is Proof.WRONG
