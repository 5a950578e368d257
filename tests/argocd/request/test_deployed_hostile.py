"""A law: whatever an Application and its file of overrides say, a write of one image changes what is deployed of it alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.argocd.request.test_beside_hostile import content, deployed, edited, subscriptions
from updater.editors.quoting import write

NAMES = ["web.tag", "db.tag", "replicas", "image.name"]
IMAGES = ["ghcr.io/o/web", "ghcr.io/o/db", "busybox", "old=ghcr.io/o/side"]
LISTED = {"image-list": "web=ghcr.io/o/web, db=ghcr.io/o/db", "web.helm.image-tag": "web.tag", "db.helm.image-tag": "db.tag"}
TAGS = st.sampled_from(["1.0", "1.20", "0755", "latest"])


def lists(names):
    chosen = st.lists(st.tuples(st.sampled_from(names), TAGS), unique_by=lambda pair: pair[0])
    return st.one_of(st.none(), chosen)


def file_of(section, key, items, force):
    """A file of overrides in block style."""
    if items is None:
        return b"# nothing yet\n"
    lines = []
    for name, tag in items:
        if section == "kustomize":
            lines.append(f"  - {write(f'{name}:{tag}')}")
        else:
            lines += [f"  - name: {write(name)}", f"    value: {write(tag)}", *([f"    {force}: true"] if force else [])]
    return "\n".join([f"{section}:", f"  {key}:" + ("" if lines else " []"), *lines, ""]).encode()


def shown(source, section, key):
    """What is deployed, by name: a later entry wins, as with Helm and kustomize."""
    items = ((source.get(section) or {}).get(key)) or []
    if section == "kustomize":
        return {item.partition("=")[0] if "=" in item else item.rpartition(":")[0]: item for item in items}
    return {item["name"]: item["value"] for item in items}


@pytest.mark.parametrize(("section", "key", "names"), [("helm", "parameters", NAMES), ("kustomize", "images", IMAGES)])
@given(data=st.data())
def test_a_write_changes_what_is_deployed_of_its_image_alone(section, key, names, data):
    own, file = data.draw(lists(names)), data.draw(lists(names))
    force = data.draw(st.sampled_from(["forcestring", "forceString", ""]))
    entries = [f"{name}:{tag}" if section == "kustomize" else {"name": name, "value": tag} for name, tag in own or ()]
    block = {key: entries} if own is not None else {}
    item = subscriptions(block, section.capitalize(), LISTED)["web"]
    before = file_of(section, key, file, force)
    edit = edited(before, (item, "ghcr.io/o/web:2.0"))
    was = shown(deployed({section: block}, content(before) if file is not None else {}), section, key)
    if edit.refused:
        assert ([problem.code for problem in edit.refused], edit.after) == (["hides-overrides"], before)
        assert {name for name, _ in own or ()} & {"replicas", "image.name"}
        return
    now = shown(deployed({section: block}, content(edit.after)), section, key)
    mine = {"ghcr.io/o/web": "ghcr.io/o/web:2.0"} if section == "kustomize" else {"web.tag": "2.0"}
    assert {name: text for name, text in now.items() if name not in {*mine, "image.name"}} == {
        name: text for name, text in was.items() if name not in {*mine, "image.name"}
    }
    assert mine.items() <= now.items()
