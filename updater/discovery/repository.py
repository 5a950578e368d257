"""Walk a repository and gather its images: markers, kustomizations, Helm values, Argo CD Applications, Flux's policies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.request.applications import is_application
from updater.argocd.request.imageupdaters import is_image_updater
from updater.discovery import keel, renovate, values
from updater.discovery.flux import FluxPolicies
from updater.discovery.found import Discovery, FoundImage, FoundTarget
from updater.documents import Dialect, load_json, read_yaml
from updater.editors import make_editor
from updater.errors import EditError, UpdaterError
from updater.model.written import Written
from updater.validation.annotations import has_annotations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from updater.git.tree import Tree
    from updater.model.view import Reading

LARGEST_FILE: Final = 2 * 1024 * 1024
ALL: Final = frozenset({"markers", "kustomize", "helm", "argocd", "renovate", "keel"})
USUAL: Final = ALL - {"renovate", "keel"}
_YAML: Final = (".yaml", ".yml")
_SEPARATORS: Final = re.compile(r"[-_.]")
_MARKER: Final = b"$imagepolicy"


def discover(tree: Tree, *, prefix: str = ".", kinds: Collection[str] = USUAL) -> Discovery:
    """Read every file of *tree* at or below *prefix* once and return what its *kinds* of sources name."""
    found = Discovery()
    survey = _Survey(found, frozenset(kinds))
    for path, data in _files(tree, prefix, found):
        survey.read(path, data)
    survey.finish()
    return found


def _files(tree: Tree, prefix: str, found: Discovery) -> Iterator[tuple[str, bytes]]:
    for entry in tree.entries(prefix):
        name = entry.path.rpartition("/")[2]
        if not name.endswith(_YAML) and name != "Kustomization" and entry.path not in renovate.FILES:
            continue
        try:
            data = tree.read(entry.path)
        except EditError:
            continue  # a symlink or a submodule: nothing there is ever written
        found.files += 1
        if len(data) <= LARGEST_FILE:
            yield entry.path, data


class _Survey:
    """The images found so far; markers wait for the policies, which may stand in a later file."""

    def __init__(self, found: Discovery, kinds: Collection[str]) -> None:
        self._found = found
        self._kinds = kinds
        self._flux = FluxPolicies()
        self._markers: dict[str, list[Reading]] = {}
        self._rules = renovate.RenovateRules()
        self._keel: list[tuple[str, keel.KeelImage]] = []
        self._marker_editor = make_editor("marker")
        self._kustomize_editor = make_editor("kustomize")

    def read(self, path: str, data: bytes) -> None:
        """Take one file."""
        if path in renovate.FILES:
            self._read_renovate(path, data)
            return
        if "markers" in self._kinds and _MARKER in data:
            for reading in self._marker_editor.read(path, data).readings:
                self._markers.setdefault(reading.setter, []).append(reading)
        if self._kustomize_editor.wants(path):
            if "kustomize" in self._kinds:
                self._read_kustomization(path, data)
            return
        for document in read_yaml(path, data, dialect=Dialect.MANIFEST).documents:
            self._read_document(path, document.value)

    def finish(self) -> None:
        """Make subscriptions of the markers, and apply Renovate's rules to everything."""
        for setter, readings in self._markers.items():
            self._add_marker(setter, readings)
        for path, item in self._keel:
            self._add_keel(path, item)
        if "renovate" in self._kinds:
            self._apply_rules()
        self._found.images.sort(key=lambda item: item.key)

    def _read_document(self, path: str, value: Any) -> None:
        self._flux.add(value)
        if is_image_updater(value) or (is_application(value) and has_annotations(value)):
            if "argocd" in self._kinds:
                metadata = value.get("metadata")
                self._found.applications.add((metadata.get("namespace") if isinstance(metadata, dict) else None) or "argocd")
        elif "helm" in self._kinds and _is_values(path):
            for image in values.find_images(value):
                target = FoundTarget(editor="helm", options={"file": path, **image.options}, place=path)
                self._add(image.image, FoundImage(key="", image=image.image, written=image.written), target)
        if "keel" in self._kinds:
            self._keel += [(path, item) for item in keel.find_images(value)]

    def _read_kustomization(self, path: str, data: bytes) -> None:
        folder = path.rpartition("/")[0] or "."
        for reading in self._kustomize_editor.read(path, data).readings:
            if reading.is_missing or not reading.written.tag:
                continue
            image = reading.written.name or reading.setter
            target = FoundTarget(editor="kustomize", options={"path": folder, "name": reading.setter}, place=_place(reading))
            self._add(image, FoundImage(key="", image=image, written=reading.written), target)

    def _add_keel(self, path: str, item: keel.KeelImage) -> None:
        """Add a container that Keel keeps current, unless a marker in its file already names the image."""
        name = str(item.image.name)
        readings = (reading for found in self._markers.values() for reading in found)
        if any(reading.path == path and reading.written.name == name for reading in readings):
            return
        key = f"{item.workload}-{item.image.name.path.rpartition('/')[2]}"
        marker = f'# {{"$imagepolicy": "keel:{key}"}}'
        self._found.remarks.append(f"{path}: add the comment  {marker}  behind {item.image}")
        found = FoundImage(
            key=key, image=name, written=_written(item), policy=item.policy, tag_filter=item.tag_filter, reason=item.reason
        )
        self._add(name, found, FoundTarget(editor="marker", options=f"keel:{key}", place=path))

    def _read_renovate(self, path: str, data: bytes) -> None:
        if "renovate" not in self._kinds:
            return
        try:
            self._rules = renovate.read_rules(path, load_json(path, data))
        except UpdaterError as error:
            self._found.remarks.append(f"{path} was not read: {error.message}")
            return
        self._found.remarks += self._rules.remarks

    def _add_marker(self, setter: str, readings: list[Reading]) -> None:
        image = self._flux.image_of(setter) or next((item.written.name for item in readings if item.written.name), None)
        if image is None:
            self._found.remarks.append(
                f"{_place(readings[0])}: the marker {setter} holds no image name, and no ImageRepository in these files says it"
            )
            return
        policy, tag_filter = self._flux.policy_of(setter)
        namespace, _, name = setter.partition(":")
        found = FoundImage(
            key=name or namespace,
            image=image,
            written=readings[0].written,
            policy=policy,
            tag_filter=tag_filter,
            reason=f"as the ImagePolicy {setter} says" if policy else "",
        )
        places = ", ".join(dict.fromkeys(_place(item) for item in readings))
        target = FoundTarget(editor="marker", options=setter, place=places)
        # a marker keeps a subscription of its own: two policies may name one image
        self._add(f"{image} {setter}", found, target)

    def _add(self, identity: str, image: FoundImage, target: FoundTarget) -> None:
        """Add a place to the subscription of the same image and written tag, or begin one."""
        is_marker = target.editor == "marker"
        for known in self._found.images:
            if not is_marker and known.image == identity and known.written.tag == image.written.tag and not _is_marked(known):
                known.targets.append(target)
                return
        image.key = self._free_key(image.key or identity.rpartition("/")[2])
        image.targets.append(target)
        self._found.images.append(image)

    def _free_key(self, wanted: str) -> str:
        known = {item.key for item in self._found.images}
        return next(
            key for number in range(1, len(known) + 2) if (key := wanted if number == 1 else f"{wanted}-{number}") not in known
        )

    def _apply_rules(self) -> None:
        kept = []
        for item in self._found.images:
            policy, is_enabled = self._rules.policy_for(item.image)
            if not is_enabled:
                self._found.remarks.append(f"{item.image} is disabled in the Renovate configuration, and left out")
                continue
            if policy:
                item.policy, item.reason = policy, "as the Renovate configuration says"
            kept.append(item)
        self._found.images = kept


def _is_values(path: str) -> bool:
    """Return whether the name of a file says that it holds Helm values: ``values.yaml``, ``values-prod.yaml``."""
    return "values" in _SEPARATORS.split(path.rpartition("/")[2])[:-1]


def _is_marked(image: FoundImage) -> bool:
    return any(target.editor == "marker" for target in image.targets)


def _written(item: keel.KeelImage) -> Written:
    digest = str(item.image.digest) if item.image.digest else None
    return Written(name=str(item.image.name), tag=item.image.tag, digest=digest)


def _place(reading: Reading) -> str:
    return f"{reading.path}:{reading.line}"
