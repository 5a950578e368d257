"""The first example of the README is what its commands print, character by character; only the commit hash differs."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fakes.git_server import BareRepository, run_git
from tests.fakes.registry import FakeRegistry
from tests.flows.test_commands import updater

README = (Path(__file__).parents[2] / "README.md").read_text()
VALUES = b"""\
image:
  repository: ghcr.io/acme/shop
  tag: 1.4.0             # {"$imagepolicy": "fleet:shop:tag"}
replicas: 3
"""
FILES = {
    "apps/shop/values.yaml": VALUES,
    "apps/web/kustomization.yaml": b"images:\n  - {name: web, newName: ghcr.io/acme/web, newTag: 3.1.0}\n",
    "charts/api/values.yaml": b"image: {repository: ghcr.io/acme/api, tag: 2.4.7}\n",
}
CONFIGURATION = """\
state: {folder}/state
listen: {{metrics: null}}
registries:
  - {{prefix: ghcr.io, url: "{registry}", insecure: true}}
git:
  author: {{name: updater, email: updater@example.org}}
subscriptions:
  - key: shop
    image: ghcr.io/acme/shop
    policy: {{semver: {{}}}}
    targets: [{{git: {{url: "{url}", branch: main}}, marker: "fleet:shop"}}]
  - key: web
    image: ghcr.io/acme/web
    policy: {{semver: {{}}}}
    targets: [{{git: {{url: "{url}", branch: main}}, kustomize: {{path: apps/web, name: web}}}}]
  - key: api
    image: ghcr.io/acme/api
    policy: {{semver: {{}}}}
    targets: [{{git: {{url: "{url}", branch: main}}, helm: {{file: charts/api/values.yaml, tag: image.tag}}}}]
"""


def _shown() -> tuple[str, str, str]:
    """Return the first example of the README: what `updater once` printed, the options of `git show`, its lines."""
    example = re.search(r"```text\n\$ updater once\n(.*?)\n\n\$ git pull -q && git show ([^\n]*)\n(.*?)\n```", README, re.DOTALL)
    assert example is not None
    return example[1], example[2], example[3]


async def test_the_first_example_is_what_its_commands_print(tmp_path):
    said, options, diff = _shown()
    repository = BareRepository.make(tmp_path / "fleet.git", FILES)
    async with FakeRegistry() as registry:
        for name, tags in {"shop": ("1.4.0", "1.4.1"), "web": ("3.0.0", "3.1.0"), "api": ("2.4.5", "2.4.6")}.items():
            for tag in tags:
                registry.push(f"acme/{name}", tag)
        path = tmp_path / "updater.yaml"
        path.write_text(CONFIGURATION.format(folder=tmp_path, registry=registry.url, url=repository.path))
        code, output, errors = await updater("once", "-c", path)
    assert (code, errors) == (0, "")
    commit = repository.head()[:9]
    assert output.rstrip() == re.sub(r"in [0-9a-f]{9}$", f"in {commit}", said, flags=re.MULTILINE)
    assert run_git("--git-dir", repository.path, "show", *options.split()).rstrip() == diff
