"""Promises of the registry client, kept against real registries; our own are judged by the same tests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.real.registries import Lab, guarded, running
from updater.credentials.keychain import Keychain
from updater.errors import ConfigError, ImageNotFound, RegistryDenied, RegistryUnavailable
from updater.http.client import HttpClient
from updater.model.candidate import Description
from updater.model.credential import parse_credential_ref
from updater.model.image import Digest, parse_name, parse_platform
from updater.registry.client import RegistryClient
from updater.registry.endpoints import RegistryEntry
from updater.registry.transport import RegistryTransport

CREATED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
PLATFORMS = (parse_platform("linux/amd64"), parse_platform("linux/arm64"), parse_platform("linux/arm/v7"))


@pytest.fixture(
    params=[
        "embedded",
        "fake",
        pytest.param("docker-registry", marks=pytest.mark.real),
        pytest.param("crane", marks=pytest.mark.real),
    ]
)
async def lab(request, tmp_path):
    async with running(request.param, tmp_path) as lab:
        yield lab


@pytest.fixture
def seen():
    return []


@pytest.fixture
async def http(seen):
    async with HttpClient(observe=lambda _host, status, _seconds: seen.append(status)) as http:
        yield http


def client(lab: Lab, http: HttpClient, environment: dict[str, str] | None = None, **more) -> RegistryClient:
    entry = RegistryEntry(prefix=lab.host, url=lab.url, ca=lab.ca, **more)
    return RegistryClient(RegistryTransport(http, Keychain(environment=environment or {}, docker_configs=())), [entry])


async def test_tags_are_listed(lab, http):
    await lab.push("team/app", "1.0.0", "1.1.0", "latest")
    assert set((await client(lab, http).tags(parse_name(f"{lab.host}/team/app"))).tags) == {"1.0.0", "1.1.0", "latest"}


async def test_every_tag_is_listed_however_many_and_whatever_paging_is_spoken(lab, http, seen):
    tags = [f"1.0.{number}" for number in range(1005)]
    await lab.push("team/app", *tags)
    assert sorted((await client(lab, http).tags(parse_name(f"{lab.host}/team/app"))).tags) == sorted(tags)
    assert len(seen) == (2 if lab.has_pages else 1)


async def test_a_list_of_exactly_one_page_is_whole(lab, http):
    await lab.push("team/app", *(f"t{number:04}" for number in range(1000)))
    assert len((await client(lab, http).tags(parse_name(f"{lab.host}/team/app"))).tags) == 1000


async def test_a_tag_has_the_digest_that_was_pushed(lab, http, seen):
    digest = await lab.push("team/app", "1.0.0")
    assert await client(lab, http).digest(parse_name(f"{lab.host}/team/app"), "1.0.0") == digest
    assert seen == [200]


async def test_an_index_has_its_own_digest_and_not_a_childs(lab, http):
    digest = await lab.push("team/app", "1.0.0", platforms=PLATFORMS)
    assert await client(lab, http).digest(parse_name(f"{lab.host}/team/app"), "1.0.0") == digest


@pytest.mark.parametrize("platforms", [PLATFORMS[:1], PLATFORMS], ids=["image", "index"])
async def test_a_description_has_date_labels_and_platforms(lab, http, platforms):
    labels = {"org.opencontainers.image.source": "https://git.example.com/app"}
    digest = await lab.push("team/app", "1.0.0", created=CREATED, labels=labels, platforms=platforms)
    found = await client(lab, http).describe(parse_name(f"{lab.host}/team/app"), digest)
    assert found == Description(created=CREATED, labels=labels, platforms=platforms)


async def test_what_is_not_there_is_not_found(lab, http):
    await lab.push("team/app", "1.0.0")
    asking, image = client(lab, http), parse_name(f"{lab.host}/team/app")
    with pytest.raises(ImageNotFound):
        await asking.tags(parse_name(f"{lab.host}/team/nothing"))
    with pytest.raises(ImageNotFound):
        await asking.digest(image, "9.9.9")
    with pytest.raises(ImageNotFound):
        await asking.describe(image, Digest(algorithm="sha256", encoded="a" * 64))


async def test_a_moved_tag_has_its_new_digest_and_the_old_one_can_still_be_read(lab, http):
    asking, image = client(lab, http), parse_name(f"{lab.host}/team/app")
    old = await lab.push("team/app", "latest", labels={"n": "1"})
    new = await lab.push("team/app", "latest", labels={"n": "2"})
    assert await asking.digest(image, "latest") == new != old
    assert (await asking.describe(image, old)).labels == {"n": "1"}


async def test_an_official_image_of_a_mirror_is_found_by_its_short_name_in_every_question(lab, http, seen):
    digest = await lab.push("library/node", "1.0.0", created=CREATED)
    asking, image = client(lab, http), parse_name(f"{lab.host}/node")
    assert await asking.digest(image, "1.0.0") == digest
    assert (await asking.tags(image)).tags == ("1.0.0",)
    assert (await asking.describe(image, digest)).created == CREATED
    assert seen.count(404) <= 2  # HEAD and GET by the short name; then it is known better


@pytest.fixture(params=["htpasswd", "token"])
async def closed(request, tmp_path):
    async with guarded(request.param, tmp_path) as lab:
        await lab.push("team/app", "1.0.0", created=CREATED)
        await lab.push("team/other", "2.0.0")
        yield lab


@pytest.mark.real
async def test_behind_tls_and_a_password_everything_is_read_after_one_refusal(closed, http, seen):
    asking = client(closed, http, {"REG": "alice:s3cret"}, credentials=parse_credential_ref("env:REG"))
    image = parse_name(f"{closed.host}/team/app")
    assert (await asking.tags(image)).tags == ("1.0.0",)
    digest = await asking.digest(image, "1.0.0")
    assert (await asking.describe(image, digest)).created == CREATED
    assert seen.count(401) == 1
    assert (await asking.tags(parse_name(f"{closed.host}/team/other"))).tags == ("2.0.0",)


@pytest.mark.real
async def test_behind_tls_and_a_password_strangers_are_denied(closed, http):
    image = parse_name(f"{closed.host}/team/app")
    if closed.tokens:
        closed.tokens.is_anonymous_fine = False
    with pytest.raises(RegistryDenied):
        await client(closed, http).tags(image)
    with pytest.raises(RegistryDenied):
        await client(closed, http, {"REG": "alice:wrong"}).tags(image, parse_credential_ref("env:REG"))


@pytest.mark.real
async def test_what_is_not_there_is_not_found_for_who_may_see_everything(closed, http):
    asking = client(closed, http, {"REG": "alice:s3cret"}, credentials=parse_credential_ref("env:REG"))
    for name in ("team/none", "none"):
        with pytest.raises(ImageNotFound, match=f"{closed.host}/{name}: not found"):
            await asking.tags(parse_name(f"{closed.host}/{name}"))


@pytest.mark.real
async def test_credentials_without_an_entry_for_the_registry_are_said_and_nothing_is_asked(closed, http, seen):
    environment = {"REG": '{"auths": {"other.example.com": {"username": "alice", "password": "s3cret"}}}'}
    asking = client(closed, http, environment, credentials=parse_credential_ref("env:REG"))
    with pytest.raises(ConfigError, match=f"no entry for {closed.host} in the variable REG"):
        await asking.tags(parse_name(f"{closed.host}/team/app"))
    assert seen == []


@pytest.mark.real
async def test_without_its_authority_a_registry_is_not_trusted(closed, http):
    closed.ca = None
    with pytest.raises(RegistryUnavailable) as refused:
        await client(closed, http).tags(parse_name(f"{closed.host}/team/app"))
    assert refused.value.code == "registry-tls"


@pytest.mark.real
async def test_unverified_tls_works_only_where_it_was_set(closed, http):
    closed.ca = None
    asking = client(closed, http, {"REG": "alice:s3cret"}, insecure=True, credentials=parse_credential_ref("env:REG"))
    assert (await asking.tags(parse_name(f"{closed.host}/team/app"))).tags == ("1.0.0",)
