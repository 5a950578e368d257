"""Promises of the registry client against our own registry, which misbehaves on demand."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from aiohttp import web

from tests.fakes.certificates import Authority
from tests.fakes.registry import FakeRegistry, always, times, wants_basic, wants_bearer
from tests.fakes.still_time import StillTime
from tests.fakes.token_server import TokenServer
from updater.cache.cache import Cache
from updater.credentials.keychain import Keychain
from updater.errors import (
    ConfigError,
    ImageNotFound,
    ImageSyntaxError,
    RateLimited,
    RegistryDenied,
    RegistryError,
    RegistryProtocolError,
    RegistryUnavailable,
)
from updater.http.client import HttpClient
from updater.http.exchange import FailureKind, HttpFailure, HttpRequest
from updater.http.limits import Patience
from updater.http.offload import SMALL
from updater.model.candidate import Description
from updater.model.credential import parse_credential_ref
from updater.model.image import Digest, Platform, parse_digest, parse_name, parse_platform
from updater.registry.client import RegistryClient
from updater.registry.endpoints import RegistryEntry
from updater.registry.listing import ListingLimits
from updater.registry.refusals import refusal, unreachable
from updater.registry.shape import AnswerLimits
from updater.registry.transport import RegistryTransport

CREATED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
PLATFORMS = (parse_platform("linux/amd64"), parse_platform("linux/arm64"))


class Lab:
    """A registry, a client of it, and time that stands still."""

    def __init__(self, registry: FakeRegistry, http: HttpClient, still: StillTime) -> None:
        self.registry, self.http, self.still = registry, http, still
        self.environment: dict[str, str] = {}
        self.keychain = Keychain(environment=self.environment, docker_configs=(), clock=still.clock)
        self.image = parse_name(f"{registry.host}/org/app")

    def client(self, *entries: RegistryEntry, limits: AnswerLimits | None = None, **more) -> RegistryClient:
        asking = RegistryTransport(self.http, self.keychain, clock=self.still.clock, wall=self.still.wall, limits=limits)
        return RegistryClient(asking, entries, **more)

    def entry(self, **more) -> RegistryEntry:
        return RegistryEntry(prefix=self.registry.host, **more)

    def credential(self, text: str, name: str = "REG"):
        self.environment[name] = text
        return parse_credential_ref(f"env:{name}")


@pytest.fixture
async def lab():
    still = StillTime()
    patience = Patience(bearable=20.0)
    async with FakeRegistry() as registry, HttpClient(surroundings=still.surroundings(), patience=patience) as http:
        yield Lab(registry, http, still)


MANY = tuple(f"1.{number}-{'x' * 100}" for number in range(SMALL // 100))


def whole_list(path: str):
    """Answer with `MANY` on one page, as registries do that know no pages."""

    async def answer(request):
        return web.json_response({"name": path, "tags": list(MANY)}) if f"/{path}/tags/" in request.path else None

    return answer


class TestLargeAnswers:
    async def test_a_large_list_that_takes_too_long_to_read_is_given_up_and_a_small_one_is_read_at_once(self, lab, monkeypatch):
        monkeypatch.setattr("updater.http.offload.GIVEN_UP_AFTER", 0.0)
        lab.registry.push("org/small", "1.0")
        lab.registry.faults.append(whole_list("org/app"))
        client = lab.client()
        assert (await client.tags(parse_name(f"{lab.registry.host}/org/small"))).tags == ("1.0",)
        with pytest.raises(RegistryProtocolError) as refused:
            await client.tags(lab.image)
        assert refused.value.code == "answer-too-slow"

    async def test_a_large_list_is_read_whole_beside_the_loop(self, lab):
        lab.registry.faults.append(whole_list("org/app"))
        assert (await lab.client().tags(lab.image)).tags == MANY

    @pytest.mark.parametrize("kind", ["index", "config"])
    async def test_what_is_larger_than_manifest_bytes_is_refused_and_names_the_setting(self, lab, kind):
        many = tuple(parse_platform(f"linux/arch{number}") for number in range(40))
        labels = {"a": "x" * 4000} if kind == "config" else {}
        digest = lab.registry.push("org/app", "1.0", platforms=many if kind == "index" else PLATFORMS[:1], labels=labels)
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client(limits=AnswerLimits(manifest_bytes=2000)).describe(lab.image, digest)
        assert refused.value.code == "registry-too-large"
        assert "registry_limits.manifest_bytes" in refused.value.hint
        assert await lab.client(limits=AnswerLimits(manifest_bytes=200_000)).describe(lab.image, digest)

    async def test_an_index_of_more_entries_than_index_entries_names_the_setting(self, lab):
        many = tuple(parse_platform(f"linux/arch{number}") for number in range(40))
        digest = lab.registry.push("org/app", "1.0", platforms=many)
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client(limits=AnswerLimits(index_entries=39)).describe(lab.image, digest)
        assert (refused.value.code, "registry_limits.index_entries" in refused.value.hint) == ("registry-too-large", True)
        found = await lab.client(limits=AnswerLimits(index_entries=40)).describe(lab.image, digest)
        assert len(found.platforms) == 40


class TestReading:
    async def test_tags_digest_and_description_are_read(self, lab):
        digest = lab.registry.push("org/app", "1.0", created=CREATED, labels={"a": "b"}, platforms=PLATFORMS)
        client = lab.client()
        assert (await client.tags(lab.image)).tags == ("1.0",)
        assert await client.digest(lab.image, "1.0") == digest
        assert await client.describe(lab.image, digest) == Description(created=CREATED, labels={"a": "b"}, platforms=PLATFORMS)

    async def test_every_manifest_is_asked_for_with_the_same_full_accept(self, lab):
        digest = lab.registry.push("org/app", "1.0", platforms=PLATFORMS)
        client = lab.client()
        await client.digest(lab.image, "1.0")
        await client.describe(lab.image, digest)
        accepted = {asked.headers["Accept"] for asked in lab.registry.asked if "/manifests/" in asked.path}
        assert len(accepted) == 1
        assert accepted.pop().count("application/vnd.") == 4

    @pytest.mark.parametrize(
        ("part", "served"),
        [("/tags/list", "application/json"), ("/tags/list", "text/plain"), ("/blobs/", "application/octet-stream")],
    )
    async def test_a_list_and_a_blob_are_asked_for_as_what_they_are(self, lab, part, served):
        """A registry that takes Accept at its word answers 406 to who wants a manifest where it has none."""
        digest = lab.registry.push("org/app", "1.0", created=CREATED)

        async def picky(request):
            accepted = {item.partition(";")[0].strip() for item in request.headers.get("Accept", "*/*").split(",")}
            return web.Response(status=406) if part in request.path and not accepted & {served, "*/*"} else None

        lab.registry.faults.append(picky)
        client = lab.client()
        assert (await client.tags(lab.image)).tags == ("1.0",)
        assert (await client.describe(lab.image, digest)).created == CREATED

    async def test_a_tag_takes_one_head_and_no_get(self, lab):
        lab.registry.push("org/app", "1.0")
        await lab.client().digest(lab.image, "1.0")
        assert [asked.method for asked in lab.registry.asked] == ["HEAD"]

    async def test_there_is_no_ping(self, lab):
        lab.registry.push("org/app", "1.0")
        await lab.client().tags(lab.image)
        assert [asked.path for asked in lab.registry.asked] == ["/v2/org/app/tags/list"]

    async def test_many_pages_are_walked(self, lab):
        for number in range(2500):
            lab.registry.shelf("org/app").tags[f"t{number:04}"] = "sha256:x"
        assert len((await lab.client().tags(lab.image)).tags) == 2500
        assert len(lab.registry.asked) == 3

    async def test_identical_questions_at_one_time_are_one_request(self, lab):
        digest = lab.registry.push("org/app", "1.0")
        client = lab.client()
        questions = [client.tags(lab.image) for _ in range(20)]
        questions += [client.digest(lab.image, "1.0") for _ in range(20)]
        questions += [client.describe(lab.image, digest) for _ in range(20)]
        await asyncio.gather(*questions)
        assert len(lab.registry.asked) == 1 + 1 + 2

    async def test_a_list_is_shared_per_image_name_and_credential(self, lab):
        lab.registry.push("org/app", "1.0")
        one, other = lab.credential("a:b", "ONE"), lab.credential("c:d", "OTHER")
        client = lab.client()
        await asyncio.gather(*(client.tags(lab.image, ref) for ref in (one, one, other, other, None, None)))
        assert len(lab.registry.asked) == 3

    async def test_what_hangs_on_a_digest_is_asked_once_and_survives_a_restart(self, lab, tmp_path):
        digest = lab.registry.push("org/app", "1.0", created=CREATED)
        async with Cache(tmp_path / "cache.db") as cache:
            client = lab.client(facts=cache)
            first = await client.describe(lab.image, digest)
            assert await client.describe(lab.image, digest) == first
            asked = len(lab.registry.asked)
            assert await lab.client(facts=cache).describe(lab.image, digest) == first
            assert len(lab.registry.asked) == asked

    async def test_only_so_many_descriptions_stay_in_memory(self, lab, monkeypatch):
        monkeypatch.setattr("updater.registry.client.MOST_RECENT", 2)
        monkeypatch.setattr("updater.registry.client.MOST_PLACES", 1)
        client = lab.client()
        digests = [lab.registry.push("org/app", "1.0", labels={"n": str(number)}) for number in range(4)]
        for digest in (*digests, digests[-1]):
            await client.describe(lab.image, digest)
        assert len(client._recent) == 2
        await client.describe(parse_name(f"{lab.registry.host}/other"), digests[-1])

    async def test_a_date_in_the_future_is_none(self, lab):
        now = datetime.fromtimestamp(lab.still.wall(), tz=UTC)
        client = lab.client()
        soon = lab.registry.push("org/app", "1", created=now + timedelta(hours=1))
        late = lab.registry.push("org/app", "2", created=now + timedelta(days=400))
        assert (await client.describe(lab.image, soon)).created == now + timedelta(hours=1)
        assert (await client.describe(lab.image, late)).created is None

    async def test_an_image_that_is_only_the_hosts_is_asked_at_its_entry(self, lab):
        lab.registry.push("team/app", "1.0")
        entry = RegistryEntry(prefix="registry.example.com", url=lab.registry.url, default_namespace="team", insecure=True)
        assert (await lab.client(entry).tags(parse_name("registry.example.com/app"))).tags == ("1.0",)

    async def test_what_is_no_tag_is_never_asked_for(self, lab):
        with pytest.raises(ImageSyntaxError):
            await lab.client().digest(lab.image, "../../x")
        assert lab.registry.asked == []


class TestDigests:
    @pytest.mark.parametrize("status", [403, 404, 405, 501, 400])
    async def test_where_head_is_unknown_get_tells(self, lab, status):
        digest = lab.registry.push("org/app", "1.0")
        lab.registry.faults.append(_only_head(lambda: web.Response(status=status)))
        assert await lab.client().digest(lab.image, "1.0") == digest

    async def test_a_refused_head_ends_in_the_error_that_get_tells(self, lab):
        """The answer to HEAD has no body, so that only GET says why."""
        denied = {"errors": [{"code": "DENIED", "message": "the repository is blocked by a scan"}]}
        lab.registry.faults.append(always("/manifests/", lambda _: web.json_response(denied, status=403)))
        with pytest.raises(RegistryDenied, match="blocked by a scan"):
            await lab.client().digest(lab.image, "1.0")

    async def test_without_a_digest_in_the_header_the_body_is_hashed(self, lab):
        digest = lab.registry.push("org/app", "1.0")
        body = lab.registry.shelf("org/app").manifests[str(digest)].body
        lab.registry.faults.append(always("/manifests/", lambda _: web.Response(body=body)))
        assert await lab.client().digest(lab.image, "1.0") == digest
        assert [asked.method for asked in lab.registry.asked] == ["HEAD", "GET"]

    @pytest.mark.parametrize("content_type", ["text/html", "application/json", "application/vnd.oci.image.manifest.v1+json"])
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>log in</html>",
            b'{"errors":[{"code":"UNAUTHORIZED"}]}',
            b"[]",
            b"null",
            b"{}",
            b'{"schemaVersion":2}',
            b'{"config":{}}',
        ],
    )
    async def test_what_is_no_manifest_is_never_taken_for_an_image(self, lab, body, content_type):
        """A page, a list of errors or nothing has a sha256 too; committed, it would name an image that does not exist."""
        lab.registry.faults.append(always("/manifests/", lambda _: web.Response(body=body, content_type=content_type)))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().digest(lab.image, "1.0")
        assert refused.value.code in {"registry-not-json", "manifest-malformed", "manifest-kind"}
        assert refused.value.hint

    async def test_a_list_of_images_without_type_and_schema_is_no_index(self, lab):
        lab.registry.faults.append(always("/manifests/", lambda _: web.json_response({"manifests": []})))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().digest(lab.image, "1.0")
        assert refused.value.code == "manifest-malformed"

    @pytest.mark.parametrize("media_type", ["application/vnd.oci.image.manifest.v1+json; charset=utf-8", "application/json"])
    async def test_a_manifest_is_known_by_its_media_type_or_its_schema(self, lab, media_type):
        digest = lab.registry.push("org/app", "1.0", platforms=PLATFORMS[:1])
        body = lab.registry.shelf("org/app").manifests[str(digest)].body
        lab.registry.faults.append(always("/manifests/", lambda _: web.Response(body=body, headers={"Content-Type": media_type})))
        assert await lab.client().digest(lab.image, "1.0") == digest

    async def test_a_build_is_asked_for_by_its_digest_and_is_there_although_its_tag_names_another_one(self, lab):
        digest = lab.registry.push("org/app", "1.0", created=CREATED)
        lab.registry.push("org/app", "1.0")
        assert await lab.client().digest(lab.image, str(digest)) == digest
        missing = "sha256:" + "e" * 64
        with pytest.raises(ImageNotFound, match=f"@{missing}"):
            await lab.client().digest(lab.image, missing)

    @pytest.mark.parametrize("told", ["nonsense", "", "sha256:", "sha256:" + "a" * 63, "sha256:" + "A" * 64])
    @pytest.mark.parametrize("method", ["HEAD", "GET"])
    async def test_a_header_that_holds_no_digest_is_refused(self, lab, told, method):
        digest = lab.registry.push("org/app", "1.0")
        body = lab.registry.shelf("org/app").manifests[str(digest)].body

        def answer(request):
            headers = {"Docker-Content-Digest": told} if request.method == method else {}
            return web.Response(body=body, headers=headers)

        lab.registry.faults.append(always("/manifests/", answer))
        with pytest.raises(RegistryProtocolError, match="Docker-Content-Digest") as refused:
            await lab.client().digest(lab.image, "1.0")
        assert (refused.value.code, bool(refused.value.hint)) == ("registry-protocol", True)

    async def test_a_body_that_does_not_match_its_header_is_refused(self, lab):
        digest = lab.registry.push("org/app", "1.0")
        lab.registry.faults += [
            _only_head(lambda: web.Response(status=405)),
            always("/manifests/", lambda _: web.Response(body=b"{}", headers={"Docker-Content-Digest": str(digest)})),
        ]
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().digest(lab.image, "1.0")
        assert refused.value.code == "digest-mismatch"

    @pytest.mark.parametrize("part", ["/manifests/", "/blobs/"])
    async def test_altered_content_is_refused_and_not_remembered(self, lab, part):
        digest = lab.registry.push("org/app", "1.0")
        lab.registry.faults.append(always(part, lambda _: web.Response(body=b'{"a":1}')))
        client = lab.client()
        with pytest.raises(RegistryProtocolError) as refused:
            await client.describe(lab.image, digest)
        assert refused.value.code == "digest-mismatch"
        lab.registry.faults.clear()
        assert (await client.describe(lab.image, digest)).platforms == (Platform(os="linux", architecture="amd64"),)

    async def test_a_missing_configuration_is_an_error(self, lab):
        """argo-090."""
        digest = lab.registry.push("org/app", "1.0")
        lab.registry.shelf("org/app").blobs.clear()
        with pytest.raises(ImageNotFound):
            await lab.client().describe(lab.image, digest)

    async def test_a_platform_that_is_not_wanted_is_no_error(self, lab):
        """argo-092, argo-071, argo-075: the platforms are told, and the policy decides."""
        digest = lab.registry.push("org/app", "1.0", platforms=(parse_platform("linux/arm/v7"),))
        assert (await lab.client().describe(lab.image, digest)).platforms == (parse_platform("linux/arm/v7"),)

    async def test_a_blob_may_be_served_from_elsewhere_without_our_token(self, lab):
        digest = lab.registry.push("org/app", "1.0", created=CREATED)
        ref = lab.credential("user:pass")
        async with FakeRegistry() as storage:
            storage.push("org/app", "1.0", created=CREATED)

            def away(request):
                return web.Response(status=307, headers={"Location": f"{storage.url}{request.path}?X-Signature=s"})

            lab.registry.faults += [wants_basic("user", "pass"), always("/blobs/", away)]
            assert (await lab.client().describe(lab.image, digest, ref)).created == CREATED
            assert [asked.authorization for asked in storage.asked] == [None]


def _only_head(make):
    async def answer(request):
        return make() if request.method == "HEAD" else None

    return answer


class TestBasic:
    async def test_user_and_password_are_shown_when_asked_for(self, lab):
        lab.registry.push("org/app", "1.0")
        lab.registry.faults.append(wants_basic("user", "pass"))
        client, ref = lab.client(), lab.credential("user:pass")
        assert (await client.tags(lab.image, ref)).tags == ("1.0",)
        assert [bool(asked.authorization) for asked in lab.registry.asked] == [False, True]

    async def test_they_are_shown_at_once_to_who_asked_before_for_any_image(self, lab):
        lab.registry.push("org/app", "1.0")
        lab.registry.push("org/other", "1.0")
        lab.registry.faults.append(wants_basic("user", "pass"))
        client = lab.client(lab.entry(credentials=lab.credential("user:pass")))
        await client.tags(lab.image)
        await client.tags(parse_name(f"{lab.registry.host}/org/other"))
        await client.tags(lab.image)
        assert [bool(asked.authorization) for asked in lab.registry.asked] == [False, True, True, True]

    async def test_the_credential_of_the_subscription_wins_over_the_registrys(self, lab):
        lab.registry.push("org/app", "1.0")
        lab.registry.faults.append(wants_basic("user", "pass"))
        client = lab.client(lab.entry(credentials=lab.credential("wrong:word", "WRONG")))
        assert (await client.tags(lab.image, lab.credential("user:pass"))).tags == ("1.0",)

    @pytest.mark.parametrize("text", [None, "user:wrong"])
    async def test_a_refused_or_missing_credential_is_denied_and_no_loop(self, lab, text):
        lab.registry.faults.append(wants_basic("user", "pass"))
        ref = lab.credential(text) if text else None
        with pytest.raises(RegistryDenied) as refused:
            await lab.client().tags(lab.image, ref)
        assert refused.value.hint
        assert len(lab.registry.asked) <= 2

    async def test_a_refusal_without_a_challenge_is_denied(self, lab):
        lab.registry.faults.append(times(9, 401))
        with pytest.raises(RegistryDenied):
            await lab.client().tags(lab.image)

    async def test_several_credentials_are_tried_in_turn(self, lab):
        lab.registry.push("org/app", "1.0")
        lab.registry.faults.append(wants_basic("user", "pass"))
        auths = {
            f"{lab.registry.host}/org/app": {"username": "wrong", "password": "word"},
            f"{lab.registry.host}/org": {"registrytoken": "not for basic"},
            lab.registry.host: {"username": "user", "password": "pass"},
        }
        ref = lab.credential(json.dumps({"auths": auths}))
        assert (await lab.client().tags(lab.image, ref)).tags == ("1.0",)

    async def test_credentials_that_went_stale_are_read_again_once(self, lab, tmp_path):
        """argo-159."""
        lab.registry.push("org/app", "1.0")
        lab.registry.faults.append(wants_basic("user", "new"))
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\ncat {tmp_path}/word\n")
        program.chmod(0o755)
        (tmp_path / "word").write_text("user:old")
        ref = parse_credential_ref(f"ext:{program}")
        client = lab.client()
        with pytest.raises(RegistryDenied):
            await client.tags(lab.image, ref)
        (tmp_path / "word").write_text("user:new")
        lab.still.now += 60
        assert (await client.tags(lab.image, ref)).tags == ("1.0",)
        assert (tmp_path / "runs").read_text() == "run\n" * 2

    async def test_credentials_that_read_the_same_again_leave_the_registrys_own_error(self, lab, tmp_path):
        """argo-082."""
        lab.registry.faults.append(wants_basic("user", "new"))
        (tmp_path / "word").write_text("user:old")
        ref = parse_credential_ref(f"file:{tmp_path / 'word'}")
        client = lab.client()
        for _ in range(2):
            with pytest.raises(RegistryDenied, match="access denied") as denied:
                await client.tags(lab.image, ref)
            assert denied.value.message.endswith(f"; refused was the credential from {tmp_path / 'word'}")
            assert denied.value.hint.startswith(f"check {tmp_path / 'word'}, ")
            lab.still.now += 60

    async def test_credentials_that_lead_nowhere_are_said_as_such(self, lab):
        with pytest.raises(ConfigError) as refused:
            await lab.client().tags(lab.image, parse_credential_ref("env:NOWHERE"))
        assert refused.value.code == "credential-missing"


def _hides(status, accepted):
    """A fault: strangers get *status* without a challenge, for images alone; *accepted* judges the Authorization."""

    async def answer(request):
        if request.path == "/v2/" or accepted(request.headers.get("Authorization", "")):
            return None
        return web.json_response({"errors": [{"code": "NAME_UNKNOWN"}]}, status=status)

    return answer


def _is_user(authorization):
    return authorization == "Basic " + base64.b64encode(b"user:pass").decode()


class TestOfficialImages:
    """What Docker Hub calls library/node is node to people, and a mirror may know one name alone."""

    @staticmethod
    def mirror(lab, *, part="", path="hub/library/node"):
        """Put node at *path*; every other name of it has no answer for URLs that hold *part*."""
        digest = lab.registry.push(path, "1.0", created=CREATED)

        async def answer(request):
            if path in request.path or request.path == "/v2/":
                return None
            if part in request.path:
                return web.json_response({"errors": [{"code": "NAME_UNKNOWN"}]}, status=404)
            raise web.HTTPTemporaryRedirect(request.path.replace("/node/", "/library/node/"))

        lab.registry.faults.append(answer)
        return digest

    async def test_a_setting_names_the_namespace_below_the_prefix(self, lab):
        digest = self.mirror(lab)
        entry = RegistryEntry(prefix=f"{lab.registry.host}/hub", url=lab.registry.url, default_namespace="library")
        client, image = lab.client(entry), parse_name(f"{lab.registry.host}/hub/node")
        assert (await client.tags(image)).tags == ("1.0",)
        assert await client.digest(image, "1.0") == digest
        assert {item.path.startswith("/v2/hub/library/node/") for item in lab.registry.asked} == {True}

    @pytest.mark.parametrize("first", ["tags", "digest"])
    async def test_without_it_the_library_is_tried_once_and_remembered(self, lab, first):
        digest = self.mirror(lab)
        client = lab.client(RegistryEntry(prefix=f"{lab.registry.host}/hub", url=lab.registry.url))
        image = parse_name(f"{lab.registry.host}/hub/node")
        await (client.tags(image) if first == "tags" else client.digest(image, "1.0"))
        asked = len(lab.registry.asked)
        assert (await client.tags(image)).tags == ("1.0",)
        assert await client.digest(image, "1.0") == digest
        assert (await client.describe(image, digest)).created == CREATED
        assert all("/hub/library/node/" in item.path for item in lab.registry.asked[asked:])

    async def test_where_nobody_configured_a_prefix_both_names_must_lead_to_the_tag(self, lab):
        """Artifactory lists by library/ alone and serves manifests by both names."""
        self.mirror(lab, part="/tags/list")
        assert (await lab.client().tags(parse_name(f"{lab.registry.host}/hub/node"))).tags == ("1.0",)

    async def test_another_repository_of_that_name_is_never_taken_for_the_image(self, lab):
        self.mirror(lab)
        with pytest.raises(ImageNotFound, match="/hub/node: not found"):
            await lab.client().tags(parse_name(f"{lab.registry.host}/hub/node"))

    async def test_an_image_that_is_nowhere_is_not_found_by_its_own_name(self, lab):
        for image in (f"{lab.registry.host}/node", f"{lab.registry.host}/a/b/node"):
            with pytest.raises(ImageNotFound, match=f"{image}: not found"):
                await lab.client().tags(parse_name(image))
        assert lab.registry.count("library") == 1

    async def test_a_missing_tag_of_an_image_that_is_there_is_not_looked_for_elsewhere(self, lab):
        lab.registry.push("node", "1.0")
        client, image = lab.client(), parse_name(f"{lab.registry.host}/node")
        await client.tags(image)
        with pytest.raises(ImageNotFound):
            await client.digest(image, "2.0")
        assert lab.registry.count("library") == 0


class TestHiding:
    """Registries that answer 404, 403 or 401 without a challenge for what they show only to whom they know."""

    @pytest.mark.parametrize("status", [401, 403, 404])
    async def test_they_get_the_configured_credential_and_then_at_once(self, lab, status):
        lab.registry.push("org/app", "1.0")
        lab.registry.push("org/other", "1.0")
        lab.registry.faults.append(_hides(status, _is_user))
        client = lab.client(lab.entry(credentials=lab.credential("user:pass")))
        assert (await client.tags(lab.image)).tags == ("1.0",)
        asked = len(lab.registry.asked)
        assert (await client.tags(parse_name(f"{lab.registry.host}/org/other"))).tags == ("1.0",)
        assert [bool(item.authorization) for item in lab.registry.asked[asked:]] == [True]

    async def test_a_token_is_fetched_where_the_registry_as_a_whole_names_a_token_server(self, lab):
        lab.registry.push("org/app", "1.0")
        async with TokenServer() as tokens:
            tokens.users = {"user": "pass"}
            challenge = {"WWW-Authenticate": f'Bearer realm="{tokens.url}",service="lab"'}

            async def ping(request):
                return web.Response(status=401, headers=challenge) if request.path == "/v2/" else None

            lab.registry.faults += [ping, _hides(404, lambda shown: tokens.is_ours(shown.partition(" ")[2]))]
            client = lab.client()
            assert (await client.tags(lab.image, lab.credential("user:pass"))).tags == ("1.0",)
            assert dict(tokens.asked[0][1])["scope"] == "repository:org/app:pull"
            assert not any((item.authorization or "").startswith("Basic") for item in lab.registry.asked)

    async def test_a_registry_that_fails_meanwhile_is_not_taken_for_one_without_the_image(self, lab):
        async def fails(request):
            return web.Response(status=503) if request.headers.get("Authorization") else None

        lab.registry.faults.append(fails)
        with pytest.raises(RegistryUnavailable):
            await lab.client().tags(lab.image, lab.credential("user:pass"))

    async def test_what_is_really_not_there_stays_not_found_and_public_images_are_read_as_before(self, lab):
        """A credential that no longer holds must not keep us from what everybody may read."""
        lab.registry.push("org/app", "1.0")

        async def refuses_who_shows_anything(request):
            return web.Response(status=401) if request.headers.get("Authorization") else None

        lab.registry.faults.append(refuses_who_shows_anything)
        client = lab.client(lab.entry(credentials=lab.credential("user:stale")))
        with pytest.raises(ImageNotFound):
            await client.tags(parse_name(f"{lab.registry.host}/org/none"))
        assert (await client.tags(lab.image)).tags == ("1.0",)

    async def test_how_the_registry_wants_to_be_convinced_is_asked_once(self, lab):
        lab.registry.push("org/app", "1.0")
        client = lab.client(lab.entry(credentials=lab.credential("user:pass")))
        for tag in ("2.0", "3.0"):
            with pytest.raises(ImageNotFound):
                await client.digest(lab.image, tag)
        assert [item.path for item in lab.registry.asked].count("/v2/") == 1

    async def test_without_a_credential_nothing_is_asked_twice(self, lab):
        with pytest.raises(ImageNotFound):
            await lab.client().tags(parse_name(f"{lab.registry.host}/org/team/app"))
        assert len(lab.registry.asked) == 1


class TestBearer:
    @pytest.fixture
    async def tokens(self, lab):
        async with TokenServer() as tokens:
            challenge = f'Bearer realm="{tokens.url}",service="lab",scope="repository:{{}}:pull"'
            lab.registry.faults.append(wants_bearer(lambda name: challenge.replace("{}", name), tokens.is_ours))
            lab.registry.push("org/app", "1.0")
            lab.registry.push("org/other", "1.0")
            yield tokens

    async def test_an_anonymous_token_is_fetched_and_kept(self, lab, tokens):
        client = lab.client()
        await client.tags(lab.image)
        await client.digest(lab.image, "1.0")
        assert len(tokens.asked) == 1
        assert len(lab.registry.asked) == 3

    async def test_a_token_is_for_one_image_and_one_credential(self, lab, tokens):
        tokens.users = {"user": "pass"}
        client, ref = lab.client(), lab.credential("user:pass")
        other = parse_name(f"{lab.registry.host}/org/other")
        for image in (lab.image, other):
            for credential in (None, ref, None, ref):
                await client.tags(image, credential)
        assert len(tokens.asked) == 4

    async def test_a_thousand_refusals_are_one_token(self, lab, tokens):
        client = lab.client()
        for number in range(300):
            lab.registry.push("org/app", f"1.{number}")
        await asyncio.gather(*(client.digest(lab.image, f"1.{number}") for number in range(300)))
        assert len(tokens.asked) == 1

    async def test_a_token_whose_time_is_over_is_renewed_without_a_refused_request(self, lab, tokens):
        client = lab.client()
        await client.tags(lab.image)
        lab.still.now += 400
        await client.tags(lab.image)
        assert len(tokens.asked) == 2
        assert len(lab.registry.asked) == 3

    async def test_a_token_that_is_refused_early_is_renewed_once(self, lab, tokens):
        client = lab.client()
        await client.tags(lab.image)
        tokens.issued.clear()
        tokens.issued.append("other")
        await client.tags(lab.image)
        assert len(tokens.asked) == 2

    async def test_a_token_that_never_does_is_denied_and_no_loop(self, lab, tokens):
        tokens.answers = [web.json_response({"token": "useless"}) for _ in range(9)]
        with pytest.raises(RegistryDenied):
            await lab.client().tags(lab.image)
        assert (len(tokens.asked), len(lab.registry.asked)) == (1, 2)

    async def test_a_wrong_password_at_the_token_server_is_denied(self, lab, tokens):
        tokens.users = {"user": "pass"}
        with pytest.raises(RegistryDenied, match="token server"):
            await lab.client().tags(lab.image, lab.credential("user:wrong"))

    async def test_the_next_credential_is_tried_when_the_token_server_refuses_one(self, lab, tokens):
        tokens.users = {"user": "pass"}
        auths = {
            f"{lab.registry.host}/org": {"username": "user", "password": "wrong"},
            lab.registry.host: {"username": "user", "password": "pass"},
        }
        assert (await lab.client().tags(lab.image, lab.credential(json.dumps({"auths": auths})))).tags

    async def test_an_identity_token_is_exchanged(self, lab, tokens):
        tokens.refresh_tokens = {"identity"}
        ref = lab.credential(json.dumps({"auths": {lab.registry.host: {"identitytoken": "identity"}}}))
        assert (await lab.client().tags(lab.image, ref)).tags == ("1.0",)
        assert [method for method, _ in tokens.asked] == ["POST"]

    async def test_a_registry_token_needs_no_token_server(self, lab, tokens):
        tokens.issued.append("given")
        ref = lab.credential(json.dumps({"auths": {lab.registry.host: {"registrytoken": "given"}}}))
        assert (await lab.client().tags(lab.image, ref)).tags == ("1.0",)
        assert tokens.asked == []

    async def test_only_so_many_tokens_are_kept(self, lab, tokens, monkeypatch):
        monkeypatch.setattr("updater.registry.token_cache.MOST_GRANTS", 1)
        client = lab.client()
        for name in ("app", "other", "app"):
            await client.tags(parse_name(f"{lab.registry.host}/org/{name}"))
        assert len(tokens.asked) == 3

    async def test_a_token_server_that_is_not_well_is_unavailable(self, lab, tokens):
        tokens.answers = [web.Response(status=503) for _ in range(3)]
        with pytest.raises(RegistryUnavailable):
            await lab.client().tags(lab.image)

    async def test_a_realm_inside_our_network_is_refused(self, lab):
        lab.registry.faults.append(wants_bearer(lambda _: 'Bearer realm="http://169.254.169.254/token"', lambda _: False))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().tags(lab.image, lab.credential("user:pass"))
        assert refused.value.code == "registry-redirect"

    async def test_behind_tls_the_token_server_is_reached_by_the_same_authority(self, lab, tmp_path):
        authority = Authority(tmp_path)
        pair = authority.issue("server")
        context = authority.server_context(pair, wants_client=False)
        async with FakeRegistry(tls=context) as registry, TokenServer(tls=context) as tokens:
            registry.push("org/app", "1.0")
            registry.faults.append(
                wants_bearer(lambda _: f'Bearer realm="{tokens.url.replace("127.0.0.1", "localhost")}"', tokens.is_ours)
            )
            client_pair = authority.issue("client")
            entry = RegistryEntry(
                prefix=registry.host, url=registry.url, ca=str(authority.path), client_certificate=str(client_pair.certificate)
            )
            image = parse_name(f"{registry.host}/org/app")
            with pytest.raises(RegistryProtocolError):
                await lab.client(entry).tags(image)  # localhost is not the registry's own host, 127.0.0.1
            registry.faults[:] = [wants_bearer(lambda _: f'Bearer realm="{tokens.url}"', tokens.is_ours)]
            assert (await lab.client(entry).tags(image)).tags == ("1.0",)


def _echoing(*secrets, status):
    """A fault: the registry repeats what it was shown, and *secrets*, where people will read it."""

    def answer(request):
        said = " ".join((request.headers.get("Authorization", ""), *secrets))
        return web.json_response({"errors": [{"code": secrets[0], "message": f"no:\r\n\x1b[31m {said}"}]}, status=status)

    return always("/v2/", answer)


class TestSecrets:
    @pytest.mark.parametrize("status", [401, 403, 404, 418, 429])
    @pytest.mark.parametrize("kind", ["tags", "description"])
    async def test_what_basic_shows_is_never_repeated(self, lab, status, kind):
        secret = "pa/ss+wörd " + "x" * 20
        ref = lab.credential(f"user:{secret}")
        encoded = base64.b64encode(f"user:{secret}".encode()).decode()
        lab.registry.faults += [wants_basic("user", secret), _echoing(secret, encoded, quote(secret, safe=""), status=status)]
        client, digest = lab.client(), Digest(algorithm="sha256", encoded="a" * 64)
        with pytest.raises(RegistryError) as refused:
            await (client.tags(lab.image, ref) if kind == "tags" else client.describe(lab.image, digest, ref))
        _is_discreet(refused.value, secret[:5], encoded[:8], "pa%2F")

    async def test_a_bearer_token_and_what_it_was_got_for_are_never_repeated(self, lab):
        async with TokenServer() as tokens:
            tokens.users["user"] = "password"
            tokens.refresh_tokens.add("identity")
            lab.registry.faults.append(wants_bearer(lambda _: f'Bearer realm="{tokens.url}"', tokens.is_ours))
            lab.registry.faults.append(_echoing("identity", "password", status=403))
            auths = {lab.registry.host: {"username": "user", "password": "password", "identitytoken": "identity"}}
            with pytest.raises(RegistryDenied) as refused:
                await lab.client().tags(lab.image, lab.credential(json.dumps({"auths": auths})))
            assert tokens.issued
            _is_discreet(refused.value, "identity", "password", *tokens.issued)

    async def test_a_registry_token_is_never_repeated(self, lab):
        lab.registry.faults.append(wants_bearer(lambda _: 'Bearer realm="https://x/"', lambda token: token == "regtoken"))
        lab.registry.faults.append(_echoing("regtoken", status=403))
        auths = {lab.registry.host: {"registrytoken": "regtoken"}}
        with pytest.raises(RegistryDenied) as refused:
            await lab.client().tags(lab.image, lab.credential(json.dumps({"auths": auths})))
        _is_discreet(refused.value, "regtoken")

    async def test_a_token_server_that_repeats_the_password_is_not_quoted(self, lab):
        async with TokenServer() as tokens:
            said = {"errors": [{"code": "password", "message": base64.b64encode(b"user:password").decode()}]}
            tokens.answers.append(web.json_response(said, status=404))
            lab.registry.faults.append(wants_bearer(lambda _: f'Bearer realm="{tokens.url}"', tokens.is_ours))
            with pytest.raises(RegistryError) as refused:
                await lab.client().tags(lab.image, lab.credential("user:password"))
            _is_discreet(refused.value, "password", "dXNlcj")

    async def test_a_secret_on_the_way_of_a_redirect_or_as_a_kind_of_manifest_is_masked(self, lab):
        ref = lab.credential("user:password")
        lab.registry.faults.append(wants_basic("user", "password"))
        away = {"Location": "http://10.0.0.1/password"}
        lab.registry.faults.append(always("/tags/", lambda _: web.Response(status=307, headers=away)))
        kind = {"schemaVersion": 2, "mediaType": "password\n"}
        lab.registry.faults.append(always("/manifests/", lambda _: web.json_response(kind)))
        client = lab.client()
        for question in (client.tags(lab.image, ref), client.digest(lab.image, "1.0", ref)):
            with pytest.raises(RegistryProtocolError) as refused:
                await question
            _is_discreet(refused.value, "password")

    async def test_a_scheme_that_is_the_password_is_masked(self, lab):
        lab.registry.faults.append(always("/v2/", lambda _: web.Response(status=401, headers={"WWW-Authenticate": "PassWord"})))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().tags(lab.image, lab.credential("user:PassWord"))
        _is_discreet(refused.value, "password", "PassWord")


def _is_discreet(error, *secrets):
    assert "•••" in error.message
    assert error.message.isprintable()
    assert not [secret for secret in secrets if secret in f"{error} {error.hint} {error!r}"]


class TestTrouble:
    @pytest.mark.parametrize(
        ("status", "error", "code"),
        [
            (401, RegistryDenied, "registry-denied"),
            (403, RegistryDenied, "registry-denied"),
            (404, ImageNotFound, "image-not-found"),
            (429, RateLimited, "rate-limited"),
            (408, RegistryUnavailable, "registry-unavailable"),
            (500, RegistryUnavailable, "registry-unavailable"),
            (502, RegistryUnavailable, "registry-unavailable"),
            (503, RegistryUnavailable, "registry-unavailable"),
            (418, RegistryProtocolError, "registry-protocol"),
            (302, RegistryProtocolError, "registry-protocol"),
            (204, RegistryProtocolError, "registry-protocol"),
        ],
    )
    async def test_each_status_is_one_error_with_code_and_hint(self, lab, status, error, code):
        """flux-280 is the 404."""
        lab.registry.faults.append(always("/v2/", lambda _: web.Response(status=status)))
        client = lab.client()
        digest = Digest(algorithm="sha256", encoded="a" * 64)
        for question in (client.tags(lab.image), client.digest(lab.image, "1.0"), client.describe(lab.image, digest)):
            with pytest.raises(error) as refused:
                await question
            assert type(refused.value) is error
            assert (refused.value.code, bool(refused.value.hint)) == (code, True)
            assert lab.registry.host in str(refused.value)

    async def test_what_the_registry_says_is_repeated_on_one_bounded_line(self, lab):
        said = {"errors": [{"code": "NAME_UNKNOWN", "message": "no\nsuch\tname " + "x" * 1000}]}
        lab.registry.faults.append(always("/v2/", lambda _: web.json_response(said, status=404)))
        with pytest.raises(ImageNotFound, match="NAME_UNKNOWN no such name") as refused:
            await lab.client().tags(lab.image)
        assert len(str(refused.value)) < 300

    async def test_too_many_requests_tell_for_how_long(self, lab):
        lab.registry.faults.append(always("/v2/", lambda _: web.Response(status=429, headers={"Retry-After": "120"})))
        with pytest.raises(RateLimited) as limited:
            await lab.client().tags(lab.image)
        assert limited.value.retry_after == 120.0
        with pytest.raises(RateLimited) as again:
            await lab.client().digest(lab.image, "1.0")
        assert again.value.retry_after == 120.0
        assert len(lab.registry.asked) == 1

    async def test_a_registry_that_is_down_is_unavailable(self, lab):
        await lab.registry.stop()
        with pytest.raises(RegistryUnavailable):
            await lab.client().tags(lab.image)

    async def test_an_untrusted_certificate_has_its_own_code(self, lab, tmp_path):
        authority = Authority(tmp_path)
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as registry:
            entry = RegistryEntry(prefix=registry.host, url=registry.url)
            with pytest.raises(RegistryUnavailable) as refused:
                await lab.client(entry).tags(parse_name(f"{registry.host}/org/app"))
        assert refused.value.code == "registry-tls"

    async def test_files_of_tls_that_cannot_be_used_are_a_matter_of_configuration(self, lab):
        with pytest.raises(ConfigError) as refused:
            await lab.client(lab.entry(ca="/nowhere/ca.pem", url=lab.registry.url)).tags(lab.image)
        assert refused.value.code == "registry-tls-files"

    @pytest.mark.parametrize("content_type", ["text/html", "application/json"])
    async def test_html_instead_of_json_is_said(self, lab, content_type):
        page = web.Response
        lab.registry.faults.append(always("/v2/", lambda _: page(text="<html>log in</html>", content_type=content_type)))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().tags(lab.image)
        assert refused.value.code == "registry-not-json"

    async def test_one_image_in_trouble_does_not_touch_another(self, lab):
        lab.registry.push("org/other", "1.0")
        lab.registry.faults.append(times(9, 500, part="org/app"))
        client = lab.client()
        results = await asyncio.gather(
            client.tags(lab.image), client.tags(parse_name(f"{lab.registry.host}/org/other")), return_exceptions=True
        )
        assert isinstance(results[0], RegistryUnavailable)
        assert results[1].tags == ("1.0",)

    @pytest.mark.parametrize(
        ("location", "code"),
        [
            ("http://10.0.0.1/x", "registry-redirect"),
            ("gopher://x/", "registry-protocol"),
            ("/v2/org/app/tags/list", "registry-redirect"),
        ],
    )
    async def test_a_redirect_that_may_not_be_followed_is_an_error(self, lab, location, code):
        lab.registry.faults.append(always("/tags/", lambda _: web.Response(status=302, headers={"Location": location})))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().tags(lab.image)
        assert refused.value.code == code


class TestMemory:
    """However much a registry sends, what is kept is bounded."""

    @pytest.fixture
    def bounded(self):
        tracemalloc.start()
        yield lambda: tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()

    async def test_pages_without_end(self, lab, bounded):
        def endless(request):
            number = int(request.query.get("last", "0")) + 1
            tags = [f"t{number}-{tag}" for tag in range(100)]
            return web.json_response({"tags": tags}, headers={"Link": f'<?last={number}>; rel="next"'})

        lab.registry.faults.append(always("/tags/", endless))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client(caps=ListingLimits(pages=200)).tags(lab.image)
        assert refused.value.code == "registry-pagination"
        assert len(lab.registry.asked) == 200
        assert bounded() < 60

    async def test_a_gzip_bomb(self, lab, bounded):
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        bomb = b"".join(packer.compress(b"0" * 1_000_000) for _ in range(100)) + packer.flush()
        lab.registry.faults.append(always("/tags/", lambda _: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client(caps=ListingLimits(page_bytes=1_000_000)).tags(lab.image)
        assert refused.value.code == "registry-too-large"
        assert bounded() < 60

    @pytest.mark.parametrize("part", ["/manifests/", "/blobs/"])
    async def test_a_giant_document(self, lab, bounded, part):
        digest = lab.registry.push("org/app", "1.0")

        async def giant(request):
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(2000):
                await response.write(b"x" * 65536)
            return response

        lab.registry.faults.append(always(part, giant))
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().describe(lab.image, digest)
        assert refused.value.code == "registry-too-large"
        assert bounded() < 60

    async def test_json_nested_without_end(self, lab, bounded):
        body = b'{"manifests": ' + b"[" * 1_000_000
        digest = lab.registry.put_manifest("org/app", "1.0", body, "application/vnd.oci.image.index.v1+json")
        with pytest.raises(RegistryProtocolError) as refused:
            await lab.client().describe(lab.image, parse_digest(digest))
        assert refused.value.code == "registry-too-large"
        assert bounded() < 60

    @pytest.mark.parametrize("body", [b"[]," * 2_000_000, b"{" + b"x" * 2_000_000, b'{"tags": "' + b"x" * 2_000_000 + b'"}'])
    async def test_an_error_that_is_kept_keeps_no_answer(self, lab, bounded, body):
        """The error of an image stands until its next scan; eighty of them must not hold eighty answers."""
        lab.registry.faults.append(always("/tags/", lambda _: web.Response(body=body)))
        client, kept = lab.client(), []
        gc.disable()  # it finds circles late: few objects, each of megabytes
        before = tracemalloc.get_traced_memory()[0]
        for number in range(8):
            with pytest.raises(RegistryProtocolError) as refused:
                await client.tags(parse_name(f"{lab.registry.host}/org/app{number}"))
            kept.append(refused.value.with_traceback(None))
            del refused
        assert len(kept) == 8
        now = tracemalloc.get_traced_memory()[0]
        gc.enable()
        assert now - before < 8_000_000


async def test_a_registry_without_an_entry_is_asked_twenty_times_a_second_and_one_with_an_entry_as_fast_as_it_can(lab):
    """Thirty questions: a burst of twenty, and ten that wait; a configured registry is slowed by its own settings alone."""
    for number in range(30):
        lab.registry.push("org/app", f"{number}")
    for client, waits in ((lab.client(lab.entry()), 0), (lab.client(), 10)):
        lab.still.slept.clear()
        for number in range(30):
            await client.digest(lab.image, f"{number}")
        assert len([wait for wait in lab.still.slept if wait > 0]) == waits


@pytest.mark.parametrize("trouble", list(FailureKind))
def test_every_failure_on_the_way_has_an_error_of_ours(trouble):
    found = unreachable(HttpFailure("why", trouble=trouble, hint="what helps", retry_after=5.0), "ghcr.io/org/app")
    assert isinstance(found, RegistryError | ConfigError)
    settings = "registry_limits.page_bytes" if trouble is FailureKind.TOO_LARGE else "what helps"
    assert settings in found.hint
    assert "ghcr.io/org/app" in found.message
    assert not found.code.startswith("http")


@pytest.mark.parametrize("status", range(201, 600))
def test_every_status_has_an_error_of_ours(status):
    from tests.fakes.answers import answer  # noqa: PLC0415

    found = refusal(answer(status, b'{"errors": []}'), "ghcr.io/org/app")
    assert isinstance(found, RegistryError)
    assert found.hint


async def test_the_embedded_registry_serves_the_tags_that_are_left_and_pages_as_the_specification_says(lab):
    for tag in ("1", "2", "3"):
        lab.registry.push("org/app", tag)
    lab.registry.delete("org/app", "2")
    assert (await lab.client().tags(lab.image)).tags == ("1", "3")
    async with HttpClient() as http:
        page = await http.send(HttpRequest(url=f"{lab.registry.url}/v2/org/app/tags/list?n=1"))
        assert page.header("Link") == '</v2/org/app/tags/list?n=1&last=1>; rel="next"'
        assert (
            await http.send(HttpRequest(url=f"{lab.registry.url}/v2/org/app/tags/list"))
        ).body == b'{"name": "org/app", "tags": ["1", "3"]}'
        assert (await http.send(HttpRequest(url=f"{lab.registry.url}/v2/org/app/tags/list?n=-1"))).status == 400
        assert (await http.send(HttpRequest(url=f"{lab.registry.url}/v2/"))).status == 200
