"""What a check of one image promises of a configuration: the registry is reached by what that says, and by nothing else."""

from __future__ import annotations

import base64

import pytest

from tests.fakes.kube import FakeKube, kubeconfig
from tests.fakes.registry import FakeRegistry
from updater.daemon.check_image import choose_from_registry
from updater.errors import RegistryProtocolError
from updater.kube.kinds import SECRET
from updater.model.image import parse_name
from updater.model.subscription import PolicySpec, TagFilter
from updater.policies import build
from updater.policies.choose import SelectionRequest
from updater.policies.filters import build_filter


def digest_of(tag):
    return SelectionRequest(
        candidates={}, policy=build(PolicySpec("digest", {"tag": tag})), name_filter=build_filter(TagFilter())
    )


async def test_a_policy_that_follows_one_tag_asks_for_no_list(tmp_path):
    """An image may have more tags than may be listed."""
    path = tmp_path / "updater.yaml"
    path.write_text("registry_limits: {tags: 1}\n")
    async with FakeRegistry() as registry:
        for tag in ("1.0.0", "1.1.0", "latest"):
            registry.push("o/app", tag)
        image = parse_name(f"{registry.host}/o/app")
        assert (await choose_from_registry(image, digest_of("latest"), [str(path)])).chosen.tag == "latest"
        assert registry.count("/tags/list") == 0
        missing = await choose_from_registry(image, digest_of("none"), [str(path)])
        assert (missing.status, missing.rejections["none"].code) == ("no-match", "image-not-found")


async def test_the_cap_of_tags_is_a_setting(tmp_path):
    path = tmp_path / "updater.yaml"
    path.write_text("registry_limits: {tags: 2}\n")
    request = SelectionRequest(candidates={}, policy=build(PolicySpec("semver", {})), name_filter=build_filter(TagFilter()))
    async with FakeRegistry() as registry:
        for tag in ("1.0.0", "1.1.0", "1.2.0"):
            registry.push("o/app", tag)
        image = parse_name(f"{registry.host}/o/app")
        with pytest.raises(RegistryProtocolError) as refused:
            await choose_from_registry(image, request, [str(path)])
        assert "registry_limits.tags" in refused.value.hint
        path.write_text("registry_limits: {tags: 3}\n")
        assert (await choose_from_registry(image, request, [str(path)])).chosen.tag == "1.2.0"


async def test_a_secret_is_read_from_the_cluster_that_the_configuration_names(tmp_path, monkeypatch):
    """The cluster that kubectl would ask may be another one, with a Secret of the same name."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "another"))
    async with FakeKube() as server, FakeRegistry() as registry:
        server.install(SECRET)
        await server.put(SECRET, "login", "apps", data={"auth": base64.b64encode(b"anna:word").decode()})
        registry.push("o/app", "1.0.0")
        (tmp_path / "kubeconfig").write_text(kubeconfig(server.url, {}))
        path = tmp_path / "updater.yaml"
        path.write_text(
            f"kubernetes: {{kubeconfig: {tmp_path / 'kubeconfig'}}}\nregistries:\n"
            f'- {{prefix: "{registry.host}", url: "{registry.url}", insecure: true, credentials: "secret:apps/login#auth"}}\n'
        )
        rules = build(PolicySpec("semver", {})), build_filter(TagFilter())
        request = SelectionRequest(candidates={}, policy=rules[0], name_filter=rules[1])
        found = await choose_from_registry(parse_name(f"{registry.host}/o/app"), request, [str(path)])
        assert found.chosen.tag == "1.0.0"
        assert any(asked.path.endswith("/secrets/login") for asked in server.asked)
