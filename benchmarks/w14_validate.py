"""W14: `updater validate` on a fleet of 2,000 files, in seconds of CPU, the start of the program included.

500 folders, each with a marked Deployment, a Service, a kustomization, and a file with an ImageRepository without interval
and its ImagePolicy; one kustomization above them patches every ImageRepository.
Run by hand: ``python benchmarks/w14_validate.py [folders]``.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 5
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: web}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: app
          image: ghcr.io/acme/{name}:1.0.0 # {{"$imagepolicy": "flux-system:{name}"}}
          resources: {{requests: {{cpu: 10m, memory: 10Mi}}}}
"""
SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}\n"
)
OBJECTS = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: {name}, namespace: flux-system}}
spec: {{image: ghcr.io/acme/{name}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: {name}, namespace: flux-system}}
spec:
  imageRepositoryRef: {{name: {name}}}
  policy: {{semver: {{range: ">=1.0.0"}}}}
"""
PATCH = "patches:\n  - target: {kind: ImageRepository}\n    patch: |-\n      - {op: add, path: /spec/interval, value: 5m}\n"


def build(root: Path, folders: int) -> None:
    names = [f"app-{number}" for number in range(folders)]
    for name in names:
        folder = root / "apps" / name
        folder.mkdir(parents=True)
        (folder / "deployment.yaml").write_text(DEPLOYMENT.format(name=name))
        (folder / "service.yaml").write_text(SERVICE.format(name=name))
        (folder / "image.yaml").write_text(OBJECTS.format(name=name))
        (folder / "kustomization.yaml").write_text("resources: [deployment.yaml, service.yaml, image.yaml]\n")
    (root / "apps" / "kustomization.yaml").write_text(f"resources: [{', '.join(names)}]\n{PATCH}")


def measure(root: Path) -> tuple[float, str]:
    """Return the CPU seconds of one run, and its last line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "updater", "validate", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stderr.strip()


def main() -> None:
    folders = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as place:
        build(Path(place), folders)
        found = [measure(Path(place)) for _ in range(ROUNDS)]
    times = [seconds for seconds, _ in found]
    print(f"{found[0][1]}: {statistics.median(times):.2f} s of CPU (from {min(times):.2f} to {max(times):.2f}); target <= 2 s")


if __name__ == "__main__":
    main()
