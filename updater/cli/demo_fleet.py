"""The fleet of the demo: three applications as people write them, and the configuration that keeps them current."""

from __future__ import annotations

from typing import Final

SHOP: Final = "apps/shop/deployment.yaml"
WEB: Final = "apps/web/kustomization.yaml"
API: Final = "charts/api/values.yaml"

_SHOP: Final = """\
# The shop. Ask the payments team before you touch the limits.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  namespace: shop
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name:  shop
          image: {host}/acme/shop:1.4.0  # {{"$imagepolicy": "fleet:shop"}}
          ports:   [{{containerPort: 8080}}]
          resources:
            limits: {{cpu: "1",  memory: 512Mi}}   # measured in May
"""

_WEB: Final = """\
resources:
- ../../base
images:

# pinned by the release train
- name: web
  newName: {host}/acme/web
  newTag: 2.4.6
"""

_API: Final = """\
replicaCount: 2

image:
    repository: {host}/acme/api
    tag: "0.9.2-alpine"      # the chart needs a quoted string
    pullPolicy: IfNotPresent
"""

_CONFIGURATION: Final = """\
interval: 5s
state: {folder}/state
listen: {{metrics: null}}
log: {{format: console}}
registries:
  - {{prefix: "{host}", url: "http://{host}", insecure: true}}
git:
  author: {{name: updater, email: updater@example.org}}
subscriptions:
  - key: shop                      # a marker in a Deployment
    image: {host}/acme/shop
    policy: {{semver: {{range: ">=1.0.0"}}}}
    targets:
      - git: {{url: "{folder}/fleet.git", branch: main, path: apps}}
        marker: fleet:shop
  - key: web                       # an entry of a kustomization
    image: {host}/acme/web
    policy: {{semver: {{range: "~2.4"}}}}
    targets:
      - git: {{url: "{folder}/fleet.git", branch: main}}
        kustomize: {{path: apps/web, name: web}}
  - key: api                       # keys of Helm values; the -alpine variant stays
    image: {host}/acme/api
    policy: {{semver: {{range: "*"}}}}
    targets:
      - git: {{url: "{folder}/fleet.git", branch: main}}
        helm: {{file: charts/api/values.yaml, name: image.repository, tag: image.tag}}
"""


def manifests(host: str) -> dict[str, bytes]:
    """Return the files of the fleet's Git repository, for images on the registry at *host*."""
    return {path: text.format(host=host).encode() for path, text in ((SHOP, _SHOP), (WEB, _WEB), (API, _API))}


def configuration(host: str, folder: str) -> str:
    """Return the updater.yaml of the demo."""
    return _CONFIGURATION.format(host=host, folder=folder)
