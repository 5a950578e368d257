"""Argo CD lays a file of overrides over a source as a patch: a list in it takes the place of the Application's own list."""

from __future__ import annotations

import json

import pytest

from tests.argocd.request.making import GIT, application, run
from updater.documents import Dialect, read_yaml
from updater.editors import make_editor
from updater.model.image import parse_ref
from updater.model.update import EditRequest

EDITOR = make_editor("argocd_source")
LIST = {"image-list": "web=ghcr.io/o/web, db=ghcr.io/o/db", "web.helm.image-tag": "web.tag", "db.helm.image-tag": "db.tag"}
RUNNING = ("ghcr.io/o/web:1.0", "ghcr.io/o/db:1.0")


def subscriptions(block, kind="Helm", listed=LIST):
    found = run(application(listed | GIT, kind=kind, images=RUNNING, source={kind.lower(): block}))
    return {item.key.rpartition("/")[2]: item for item in found.snapshot.subscriptions}


def edited(data, *wanted):
    """Write each (subscription, image) into a file of *data*."""
    requests = []
    for item, image in wanted:
        locator = item.targets[0].locator
        (reading,) = EDITOR.read("f.yaml", data, locator).readings
        requests.append(EditRequest(locator=locator, reading=reading, image=parse_ref(image)))
    return EDITOR.edit("f.yaml", data, requests)


def deployed(source, patch):
    """What Argo CD deploys: *patch* laid over *source* by RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(source) if isinstance(source, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = deployed(merged.get(key), value)
    return merged


def content(data):
    return json.loads(json.dumps(read_yaml("", data, dialect=Dialect.MANIFEST).documents[0].value))


def test_a_pin_of_another_image_comes_along_into_a_new_file():
    block = {"images": ["ghcr.io/o/web:1.0", "ghcr.io/o/db:1.0", "busybox=mirror.test/busybox:1.36"]}
    found = subscriptions(block, "Kustomize")
    edit = edited(b"", (found["web"], "ghcr.io/o/web:1.1"))
    assert deployed({"kustomize": block}, content(edit.after)) == {
        "kustomize": {"images": ["ghcr.io/o/web:1.1", "ghcr.io/o/db:1.0", "busybox=mirror.test/busybox:1.36"]}
    }
    assert [(change.old, change.new) for change in edit.changes] == [("ghcr.io/o/web:1.0", "ghcr.io/o/web:1.1")]


def test_the_parameter_of_another_image_comes_along_into_a_new_file():
    block = {"parameters": [{"name": "db.tag", "value": "1.0"}, {"name": "web.tag", "value": "1.0"}]}
    found = subscriptions(block)
    values = content(edited(b"", (found["web"], "ghcr.io/o/web:1.1")).after)["helm"]["parameters"]
    assert {item["name"]: item["value"] for item in values} == {"db.tag": "1.0", "web.tag": "1.1"}


def test_images_that_move_together_are_written_once_each():
    block = {"images": ["ghcr.io/o/db:1.0", "ghcr.io/o/web:1.0"]}
    found = subscriptions(block, "Kustomize")
    edit = edited(b"", (found["web"], "ghcr.io/o/web:1.1"), (found["db"], "ghcr.io/o/db:2.0"))
    assert content(edit.after) == {"kustomize": {"images": ["ghcr.io/o/db:2.0", "ghcr.io/o/web:1.1"]}}
    assert edit.refused == ()


@pytest.mark.parametrize("data", [b"", b"# ours\n", b"kustomize:\n  images:\n  - x\n", b"helm:\n  values: 'a: b'\n"])
def test_no_list_is_made_that_would_hide_parameters_of_others(data):
    found = subscriptions({"parameters": [{"name": "web.tag", "value": "1.0"}, {"name": "replicas", "value": "3"}]})
    edit = edited(data, (found["web"], "ghcr.io/o/web:1.1"))
    assert (edit.after, edit.changes, [problem.code for problem in edit.refused]) == (data, (), ["hides-overrides"])
    assert "replicas" in edit.refused[0].message
    assert "3" not in edit.refused[0].message


@pytest.mark.parametrize(
    "text", ["[]", "null", "[{name: other, value: x}]", "[{name: web.tag, value: '1.0', forcestring: true}]"]
)
def test_a_list_that_is_there_hides_the_applications_own_already_and_gets_nothing_of_it(text):
    found = subscriptions({"parameters": [{"name": "db.tag", "value": "1.0"}, {"name": "replicas", "value": "3"}]})
    edit = edited(f"helm:\n  parameters: {text}\n".encode(), (found["web"], "ghcr.io/o/web:1.1"))
    assert edit.refused == ()
    assert {"db.tag", "replicas"}.isdisjoint(item["name"] for item in content(edit.after)["helm"]["parameters"])


def test_an_entry_that_the_application_renames_is_the_one_that_moves():
    block = {"images": ["old=ghcr.io/o/web:1.0"]}
    found = subscriptions(block, "Kustomize", {"image-list": "web=ghcr.io/o/web"})
    assert content(edited(b"", (found["web"], "ghcr.io/o/web:1.1")).after) == {"kustomize": {"images": ["old=ghcr.io/o/web:1.1"]}}


VALUES = {"web.helm.image-tag": "image.tag", "write-back-target": "helmvalues", "image-list": "web=ghcr.io/o/web"}
OVERLAY = {"write-back-target": "kustomization", "image-list": "web=ghcr.io/o/web"}


@pytest.mark.parametrize(
    ("listed", "block", "codes"),
    [
        (VALUES, {"helm": {"parameters": [{"name": "image.tag", "value": "1.0"}]}}, ["overridden"]),
        (VALUES, {"helm": {"parameters": [{"name": "image.tagSuffix", "value": "x"}]}}, []),
        (OVERLAY, {"kustomize": {"images": ["ghcr.io/o/web:1.0"]}}, ["overridden"]),
        (OVERLAY, {"kustomize": {"images": ["ghcr.io/o/web=mirror.test/web"]}}, ["overridden"]),
        (OVERLAY, {"kustomize": {"images": ["ghcr.io/o/db:1.0"]}}, []),
        ({"image-list": "web=ghcr.io/o/web"}, {"kustomize": {"images": ["ghcr.io/o/web:1.0"]}}, []),
    ],
)
def test_a_write_that_no_deployment_would_show_is_said_on_the_application(listed, block, codes):
    found = run(application(listed | GIT, images=RUNNING, source=block))
    assert [problem.code for problem in found.snapshot.problems] == codes
    assert len(found.snapshot.subscriptions) == 1
