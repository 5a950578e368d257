"""The workplace of a Flux user with the examples in it: their objects, the fleet that they write, and our configuration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import yaml

from tests.real.flux_lab import FluxLab
from tests.real.lab_objects import ROOT, fill
from tests.real.parts import free_port

if TYPE_CHECKING:
    from tests.fakes.git_server import BareRepository

EXAMPLES: Final = ROOT / "config" / "examples" / "flux"
FLEET: Final = ROOT / "config" / "examples" / "flux-fleet"
TAGS: Final = {
    "acme/shop": ("1.3.9", "1.4.0", "1.4.1", "1.5.0-rc.1"),
    "acme/web": ("2.4.6", "2.4.7", "3.0.0"),
    "acme/search": ("build-9", "build-17", "build-18", "latest"),
}
_FIRST_BUILD: Final = datetime(2026, 1, 1, tzinfo=UTC)
_UPDATER_YAML: Final = """\
state: {state}
listen: {{metrics: "{metrics}"}}
log: {{format: console}}
registries:
  - {{prefix: "{host}", url: "{registry}", insecure: true}}
kubernetes: {{kubeconfig: "{kubeconfig}", namespace: flux-system}}
sources:
  - flux: {{}}
"""


class FluxExamples(FluxLab):
    """A `FluxLab` with the fleet of the examples; `apply_examples` brings their objects."""

    repository_of_fleet: BareRepository

    @property
    def git_url(self) -> str:
        return self.git.url("fleet.git")

    def apply_examples(self) -> list[str]:
        """Push the tags and files that the examples speak of, apply them, and return their names, ``Kind namespace/name``."""
        for image, tags in TAGS.items():
            for day, tag in enumerate(tags):
                self.push_tag(image, tag, created=_FIRST_BUILD + timedelta(days=day))
        files = {
            path.relative_to(FLEET).as_posix(): self._filled(path.read_text()).encode()
            for path in sorted(FLEET.rglob("*"))
            if path.is_file()
        }
        self.repository_of_fleet = self.repository("fleet", files)
        self.repository_of_fleet.log_pushes()
        names = []
        for path in sorted(EXAMPLES.glob("*.yaml")):
            for body in yaml.load_all(self._filled(path.read_text()), yaml.CSafeLoader):
                self.cluster.apply_object(body)
                names.append(f"{body['kind']} {body['metadata']['namespace']}/{body['metadata']['name']}")
        return names

    def settings(self, more: str = "", *, metrics: str | None = None) -> str:
        """Return the text of an updater.yaml for this lab; *more* is appended. *metrics* is an address, else a free port."""
        text = _UPDATER_YAML.format(
            state=self.folder / "state",
            metrics=metrics or f"127.0.0.1:{free_port()}",
            host=self.registry.host,
            registry=self.registry.url,
            kubeconfig=self.kubeconfig,
        )
        return text + more

    def _filled(self, text: str) -> str:
        return fill(text, self.git_url, self.registry.host)
