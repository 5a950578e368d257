"""`updater set`: every reference is in place, or the exit code and the JSON say which does not, and why."""

from __future__ import annotations

import json
import stat

import pytest

from updater.cli.main import run_cli

MARK = '# {"$imagepolicy": "ns:p"}'
IMAGE = "x:1.2.3"
NOTHING = "nothing to do: every place holds its value\n"


@pytest.fixture
def tree(tmp_path):
    """A folder of manifests as a person has them."""
    root = tmp_path / "fleet"
    write(root / "apps/web.yaml", f"kind: Pod\nspec:\n  image: x:1 {MARK}\n")
    write(root / "apps/other.yaml", 'image: x:1 # {"$imagepolicy": "ns:other"}\n')
    write(root / "kustomization.yaml", "kind: Kustomization\nimages:\n- name: nginx\n  newTag: 1.25.0\n")
    write(root / "values.yaml", "image:\n  tag: v1\n  repository: a/b\n")
    return root


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def run(capfd, *arguments):
    code = run_cli(["set", *map(str, arguments)])
    out, err = capfd.readouterr()
    return code, out, err


def run_json(capfd, *arguments):
    code, out, err = run(capfd, *arguments, "-o", "json")
    return code, json.loads(out), err


def test_every_kind_of_place_is_written_in_one_go(tree, capfd):
    code, said, err = run_json(
        capfd, tree, "--marker", f"ns:p={IMAGE}", "--kustomize", "nginx=nginx:1.26.0", "--helm", "values.yaml:image.tag=1.20"
    )
    assert (code, err) == (0, "")
    assert said == {
        "changes": [
            {"path": "apps/web.yaml", "line": 3, "where": "spec.image", "old": "x:1", "new": IMAGE},
            {"path": "kustomization.yaml", "line": 4, "where": "images[0].newTag", "old": "1.25.0", "new": "1.26.0"},
            {"path": "values.yaml", "line": 2, "where": "image.tag", "old": "v1", "new": "1.20"},
        ],
        "refused": [],
        "unmatched": [],
        "commit": None,
    }
    assert (tree / "apps/web.yaml").read_text() == f"kind: Pod\nspec:\n  image: {IMAGE} {MARK}\n"
    assert (tree / "values.yaml").read_text() == 'image:\n  tag: "1.20"\n  repository: a/b\n'
    assert (tree / "apps/other.yaml").read_text() == 'image: x:1 # {"$imagepolicy": "ns:other"}\n'


def test_the_text_names_each_change_on_stdout(tree, capfd):
    assert run(capfd, tree, "--marker", f"ns:p={IMAGE}") == (0, f"apps/web.yaml:3 spec.image: x:1 → {IMAGE}\n", "")


def test_a_second_run_writes_nothing_and_is_fine(tree, capfd):
    assert run(capfd, tree, "--marker", f"ns:p={IMAGE}", "--exit-code")[0] == 10
    before = (tree / "apps/web.yaml").stat().st_mtime_ns
    assert run(capfd, tree, "--marker", f"ns:p={IMAGE}", "--exit-code") == (0, "", NOTHING)
    assert run(capfd, tree, "--marker", f"ns:p={IMAGE}", "-o", "json")[2] == ""
    assert (tree / "apps/web.yaml").stat().st_mtime_ns == before


def test_a_diff_is_printed_and_nothing_written(tree, capfd):
    code, out, _ = run(capfd, tree, "--marker", f"ns:p={IMAGE}", "--diff", "--exit-code")
    assert code == 0
    assert f"-  image: x:1 {MARK}\n+  image: {IMAGE} {MARK}\n" in out
    assert out.startswith("diff --git a/apps/web.yaml b/apps/web.yaml\n")
    assert (tree / "apps/web.yaml").read_text() == f"kind: Pod\nspec:\n  image: x:1 {MARK}\n"


def test_a_ref_without_a_place_exits_1_and_the_rest_is_written(tree, capfd):
    code, said, err = run_json(capfd, tree, "--marker", f"ns:p={IMAGE}", "--marker", "ns:gone=x:2", "--exit-code")
    assert code == 1
    assert said["unmatched"] == ["ns:gone=x:2"]
    assert len(said["changes"]) == 1
    assert "error: no marker found for ns:gone=x:2\nhint: " in err


def test_a_refused_place_exits_1_with_its_line_and_hint(tree, capfd):
    write(tree / "apps/bad.yaml", f"image: x:1 {MARK}\n{{{{ if }}}}\n")
    write(tree / "apps/place.yaml", f"{MARK}\nimage: x:1\n")
    code, said, err = run_json(capfd, tree, "--marker", f"ns:p={IMAGE}", "--helm", "values.yaml:image.tga=1")
    assert code == 1
    assert [(item["path"], item["line"], item["code"]) for item in said["refused"]] == [
        ("apps/bad.yaml", 2, "not-yaml"),
        ("apps/place.yaml", 1, "marker-place"),
        ("values.yaml", 2, "no-such-key"),
    ]
    assert all(item["reason"] and item["hint"] for item in said["refused"])
    assert said["changes"]
    assert "error: values.yaml:2: there is no image.tga" in err
    assert "hint: did you mean image.tag?" in err


def test_what_is_wrong_with_markers_of_others_is_no_matter_of_this_run(tree, capfd):
    write(tree / "apps/bad.yaml", '{{ x # {"$imagepolicy": "ns:other"}\n')
    write(tree / "apps/odd.yaml", 'a: # {"$imagepolicy": "ns:other"}\nb: c # note {"$imagepolicy": "ns:other"}\n')
    assert run(capfd, tree, "--marker", f"ns:p={IMAGE}")[0] == 0


def test_a_digest_marker_without_a_digest_is_refused_not_erased(tree, capfd):
    text = 'digest: sha256:aa # {"$imagepolicy": "ns:p:digest"}\n'
    write(tree / "apps/digest.yaml", text)
    code, said, _ = run_json(capfd, tree, "--marker", f"ns:p={IMAGE}")
    assert (code, [item["code"] for item in said["refused"]]) == (1, ["no-digest"])
    assert (tree / "apps/digest.yaml").read_text() == text


def test_flux_084_git_is_never_entered(tree, capfd):
    text = f"image: x:1 {MARK}\n"
    write(tree / ".git/a.yaml", text)
    write(tree / "sub/.git/b.yaml", text)
    write(tree / "sub/deep/.git", text)
    assert run_json(capfd, tree, "--marker", f"ns:p={IMAGE}")[1]["changes"][0]["path"] == "apps/web.yaml"
    assert (tree / ".git/a.yaml").read_text() == text
    assert run_json(capfd, tree, "--helm", ".git/a.yaml:image=x:2")[1]["refused"][0]["code"] == "path"


@pytest.mark.parametrize("case", ["flux-087", "flux-088", "flux-089", "flux-090", "flux-146"])
def test_symlinks_are_never_followed(tree, capfd, tmp_path, case):
    outside = write(tmp_path / "outside.yaml", f"image: x:1 {MARK}\n")
    name, target = {
        "flux-087": ("link.yaml", "apps/web.yaml"),
        "flux-088": ("linkdir", "apps"),
        "flux-089": ("link.yaml", "apps"),
        "flux-090": ("link.yaml", "/etc/hostname"),
        "flux-146": ("link.yaml", str(outside)),
    }[case]
    (tree / name).symlink_to(target)
    code, said, _ = run_json(capfd, tree, "--marker", f"ns:p={IMAGE}")
    assert code == 0
    assert [change["path"] for change in said["changes"]] == ["apps/web.yaml"]
    assert (tree / name).is_symlink()
    assert outside.read_text() == f"image: x:1 {MARK}\n"


def test_a_values_file_behind_a_symlink_is_refused(tree, capfd):
    (tree / "link.yaml").symlink_to("values.yaml")
    (tree / "folder").symlink_to("apps")
    write(tree / "apps/values.yaml", "tag: v1\n")
    for file in ("link.yaml", "folder/values.yaml"):
        assert run_json(capfd, tree, "--helm", f"{file}:tag=v2")[1]["refused"][0]["code"] == "symlink"


def test_a_kustomization_that_is_a_symlink_is_refused(tree, capfd):
    (tree / "kustomization.yaml").rename(tree / "apps/k.yaml")
    (tree / "kustomization.yaml").symlink_to("apps/k.yaml")
    assert run_json(capfd, tree, "--kustomize", "nginx=nginx:2")[1]["refused"][0]["code"] == "symlink"


@pytest.mark.parametrize("file", ["../values.yaml", "/etc/passwd", "a/../../values.yaml"])
def test_a_values_file_outside_of_the_folder_is_refused(tree, capfd, file):
    code, said, _ = run_json(capfd, tree / "apps", "--helm", f"{file}:image.tag=v2")
    assert (code, said["refused"][0]["code"]) == (1, "path")


def test_a_missing_file_is_refused(tree, capfd):
    assert run_json(capfd, tree, "--helm", "nope.yaml:tag=v2")[1]["refused"][0]["code"] == "no-file"
    assert run_json(capfd, tree / "apps", "--kustomize", "nginx=nginx:2")[1]["refused"][0]["code"] == "no-file"
    assert run_json(capfd, tree / "values.yaml", "--kustomize", "nginx=nginx:2")[1]["refused"][0]["code"] == "no-file"


def test_a_path_may_be_one_file(tree, capfd):
    code, said, _ = run_json(capfd, tree / "kustomization.yaml", "--kustomize", "redis=redis:7", "--marker", "ns:p=x:2")
    assert (code, said["unmatched"]) == (1, ["ns:p=x:2"])
    assert [(change["path"], change["where"]) for change in said["changes"]] == [("kustomization.yaml", "images[1]")]
    assert (tree / "apps/web.yaml").read_text() == f"kind: Pod\nspec:\n  image: x:1 {MARK}\n"
    assert run_json(capfd, tree / "values.yaml", "--helm", "values.yaml:image.tag=v2")[0] == 0


def test_a_path_that_is_a_symlink_to_a_file_is_refused(tree, capfd):
    (tree / "link.yaml").symlink_to("values.yaml")
    code, _, err = run(capfd, tree / "link.yaml", "--helm", "link.yaml:image.tag=v2")
    assert code == 2
    assert "symlink" in err


def test_names_are_written_as_spelled(tree, capfd):
    run(capfd, tree, "--marker", "ns:p=nginx:1", "--kustomize", "nginx=docker.io/library/nginx:2", "--force")
    assert f"image: nginx:1 {MARK}" in (tree / "apps/web.yaml").read_text()
    assert "newName: docker.io/library/nginx\n" in (tree / "kustomization.yaml").read_text()


MISFITS = {
    "a tag over a reference": ("a.yaml", f"image: x:1 {MARK}\n", ["--marker", "ns:p=1.4.4"]),
    "a name over a reference": ("a.yaml", f"image: x:1 {MARK}\n", ["--marker", "ns:p=x"]),
    "another image": ("a.yaml", f"image: x:1 {MARK}\n", ["--marker", "ns:p=ghcr.io/o/y:1.4.4"]),
    "another name": ("a.yaml", f'n: x # {MARK[2:-2]}:name"}}\n', ["--marker", "ns:p=y:1.4.4"]),
    "a tag's marker on a reference": ("a.yaml", f'n: r.io/x:1 # {MARK[2:-2]}:tag"}}\n', ["--marker", "ns:p=r.io/x:1.4.4"]),
    "a tag's marker on a short reference": ("a.yaml", f'n: x:1 # {MARK[2:-2]}:tag"}}\n', ["--marker", "ns:p=x:1.4.4"]),
    "a reference's digest": ("a.yaml", f'n: r.io/x:1 # {MARK[2:-2]}:digest"}}\n', ["--marker", "ns:p=r.io/x:1.4.4"]),
    "a tag for an entry": ("kustomization.yaml", "images:\n- name: x\n  newTag: 1.0.0\n", ["--kustomize", "x=1.4.4"]),
    "another newName": ("kustomization.yaml", "images:\n- name: x\n  newName: r.io/x\n", ["--kustomize", "x=r.io/y:2"]),
    "a reference under a tag's key": ("v.yaml", "tag: 1.0.0\n", ["--helm", "v.yaml:tag=r.io/x:2"]),
    "a tag under a reference's key": ("v.yaml", "image: r.io/x:1\n", ["--helm", "v.yaml:image=2"]),
    "another image under a key": ("v.yaml", "image: r.io/x:1\n", ["--helm", "v.yaml:image=r.io/y:2"]),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_value_that_does_not_fit_its_place_is_refused(tmp_path, capfd, name):
    file, text, options = MISFITS[name]
    path = write(tmp_path / "fleet" / file, text)
    code, said, _ = run_json(capfd, path.parent, *options)
    assert (code, [item["code"] for item in said["refused"]], said["changes"]) == (1, ["misfit"], [])
    assert said["refused"][0]["line"]
    assert "--force" in said["refused"][0]["hint"] or "write" in said["refused"][0]["hint"]
    assert path.read_text() == text


@pytest.mark.parametrize("name", [name for name in MISFITS if "digest" not in name and name != "a name over a reference"])
def test_a_value_that_does_not_fit_is_written_by_force(tmp_path, capfd, name):
    file, text, options = MISFITS[name]
    path = write(tmp_path / "fleet" / file, text)
    code, said, _ = run_json(capfd, path.parent, *options, "--force")
    assert (code, said["refused"]) == (0, [])
    assert path.read_text() != text


@pytest.mark.parametrize("tag", ["1.4.4", "v1.4.4-RC1", "latest"])
def test_a_tag_alone_is_written_where_only_a_tag_is_marked(tmp_path, capfd, tag):
    text = f'tag: v1.0.0 # {MARK[2:-2]}:tag"}}\n'
    path = write(tmp_path / "fleet/a.yaml", text)
    assert run(capfd, path.parent, "--marker", f"ns:p={tag}")[0] == 0
    assert path.read_text() == text.replace("v1.0.0", tag)


def test_a_bad_marker_in_a_file_of_carriage_returns_is_refused_with_its_line(tmp_path, capfd):
    path = write(tmp_path / "fleet/a.yaml", f"a: 1\rb: {MARK}\rimage: x:1 {MARK}\r")
    code, said, _ = run_json(capfd, path.parent, "--marker", "ns:p=x:2")
    assert (code, [item["line"] for item in said["refused"]]) == (1, [2])
    assert len(said["changes"]) == 1


def test_two_missing_entries_are_both_added(tree, capfd):
    code, said, _ = run_json(capfd, tree, "--kustomize", "a=a:v1", "--kustomize", "b=quay.io/b:v2")
    assert code == 0
    assert [change["where"] for change in said["changes"]] == ["images[1]", "images[2]"]
    assert (
        (tree / "kustomization.yaml")
        .read_text()
        .endswith("- name: a\n  newTag: v1\n- name: b\n  newName: quay.io/b\n  newTag: v2\n")
    )


def test_several_kinds_in_one_file_are_one_edit(tree, capfd):
    text = f'kind: Kustomization\nimages:\n- name: a\n  newTag: v1 {MARK[:-2]}:tag"}}\n'
    write(tree / "kustomization.yaml", text)
    code, said, _ = run_json(
        capfd, tree, "--marker", f"ns:p={IMAGE}", "--kustomize", "b=b:v1", "--helm", "kustomization.yaml:kind=X"
    )
    assert (code, len(said["changes"])) == (0, 4)
    assert (tree / "kustomization.yaml").read_text() == text.replace("v1 ", "1.2.3 ").replace(
        "Kustomization", "X"
    ) + "- name: b\n  newTag: v1\n"


def test_a_key_with_dots_equals_and_colons_is_read_as_quoted(tree, capfd):
    write(tree / "values.yaml", 'a:\n  "b.c=d": v1\n')
    assert run(capfd, tree, "--helm", 'values.yaml:a."b.c=d"=v:2=3')[0] == 0
    assert (tree / "values.yaml").read_text() == 'a:\n  "b.c=d": v:2=3\n'


def test_the_mode_of_a_file_is_kept(tree, capfd):
    (tree / "values.yaml").chmod(0o750)
    run(capfd, tree, "--helm", "values.yaml:image.tag=v2")
    assert stat.S_IMODE((tree / "values.yaml").stat().st_mode) == 0o750
    assert sorted(path.name for path in tree.iterdir()) == ["apps", "kustomization.yaml", "values.yaml"]


def test_text_markers_count_only_where_a_configuration_names_them(tree, capfd, tmp_path):
    write(tree / "Dockerfile", f"{MARK}\nFROM x:1\n")
    config = write(tmp_path / "c.yaml", 'text_markers: ["Dockerfile*"]\nsubscriptions: []\n')
    run(capfd, tree, "--marker", f"ns:p={IMAGE}")
    assert (tree / "Dockerfile").read_text() == f"{MARK}\nFROM x:1\n"
    assert run(capfd, tree, "--marker", f"ns:p={IMAGE}", "-c", config)[0] == 0
    assert (tree / "Dockerfile").read_text() == f"{MARK}\nFROM {IMAGE}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to set"),
        (["--marker", "ns:p"], "NAME=REF"),
        (["--marker", "=x:1"], "NAME=REF"),
        (["--marker", "p=x:1"], "namespace:policy"),
        (["--marker", "ns:p:tag=x:1"], "namespace:policy"),
        (["--marker", "ns:p=https://x/y:1"], "scheme"),
        (["--marker", "ns:p=x:1", "--marker", "ns:p=x:2"], "twice"),
        (["--kustomize", "x="], "NAME=REF"),
        (["--kustomize", "x=UPPER"], "upper-case"),
        (["--helm", "values.yaml"], "FILE:KEY=VALUE"),
        (["--helm", "values.yaml:a"], "FILE:KEY=VALUE"),
        (["--helm", "values.yaml:a="], "FILE:KEY=VALUE"),
        (["--helm", "values.yaml:a..b=1"], "key path"),
        (["--marker", "ns:p=x:1", "--push"], "--commit"),
        (["--marker", "ns:p=x:1", "--message", "m"], "--commit"),
        (["--marker", "ns:p=x:1", "--commit", "--diff"], "--diff"),
        (["--marker", "ns:p=x:1", "--commit", "--proposal"], "--push"),
        (["--marker", "ns:p=x:1", "-o", "xml"], "xml"),
    ],
)
def test_wrong_usage_exits_2_with_a_hint_and_writes_nothing(tree, capfd, arguments, said):
    code, out, err = run(capfd, tree, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "hint:" in err
    assert (tree / "apps/web.yaml").read_text() == f"kind: Pod\nspec:\n  image: x:1 {MARK}\n"


def test_a_path_that_is_not_there_exits_2(tree, capfd):
    assert run(capfd, tree / "nope", "--marker", "ns:p=x:1")[0] == 2
