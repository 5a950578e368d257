"""What a check of one image promises of a configuration: the registry is reached by what that says, and by nothing else."""

from __future__ import annotations

import base64

from tests.fakes.kube import FakeKube, kubeconfig
from tests.fakes.registry import FakeRegistry
from updater.daemon.offer import choose_from_registry
from updater.engine.choose import Request
from updater.kube.kinds import SECRET
from updater.model.image import parse_name
from updater.model.subscription import PolicySpec, TagFilter
from updater.policies import build
from updater.policies.filters import build_filter


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
        request = Request(candidates={}, policy=rules[0], name_filter=rules[1])
        found = await choose_from_registry(parse_name(f"{registry.host}/o/app"), request, [str(path)])
        assert found.chosen.tag == "1.0.0"
        assert any(asked.path.endswith("/secrets/login") for asked in server.asked)
