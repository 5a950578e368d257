"""`updater init` drafts a configuration that loads, from what a repository holds, and never overwrites a file."""

import subprocess
from pathlib import Path

import pytest

from updater.cli.main import run_cli
from updater.documents import load_yaml
from updater.settings import build_settings

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, annotations: {keel.sh/policy: minor}}
spec: {template: {spec: {containers: [
  {name: shop, image: "ghcr.io/acme/shop:1.4.0"}
]}}}
"""
MARKED = 'image: ghcr.io/acme/shop:1.4.0 # {"$imagepolicy": "fleet:shop"}\n'
POLICIES = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: shop, namespace: fleet}
spec: {image: ghcr.io/acme/shop, interval: 1m}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: shop, namespace: fleet}
spec:
  imageRepositoryRef: {name: shop}
  policy: {semver: {range: ">=1.0.0 <2"}}
  filterTags: {pattern: "^v(?P<v>.*)$", extract: "$v"}
"""
KUSTOMIZATION = 'images:\n  - {name: web, newName: ghcr.io/acme/web, newTag: 2.4.6}\n  - {name: cache, newTag: "20240101"}\n'
VALUES = """\
image: {repository: ghcr.io/acme/api, tag: 0.9.2-alpine}
sidecar: {image: "envoyproxy/envoy:v1.30.1"}
"extra.dot": {image: {registry: quay.io, repository: org/thing, tag: edge}}
"""
RULES = """{"packageRules": [
  {"matchDatasources": ["docker"], "matchPackageNames": ["ghcr.io/acme/web"], "allowedVersions": "<3"},
  {"matchPackageNames": ["cache"], "enabled": false},
  {"matchManagers": ["helm-values"], "enabled": false}
]}"""


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    """A checkout with a remote, into which a test writes files."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "fleet"
    for command in (
        ["init", "-q", "-b", "main", str(folder)],
        ["-C", str(folder), "remote", "add", "origin", "https://git.example.org/fleet.git"],
        ["-C", str(folder), "config", "user.name", "Grace"],
        ["-C", str(folder), "config", "user.email", "grace@example.org"],
    ):
        subprocess.run(["git", *command], check=True)
    monkeypatch.chdir(folder)
    return folder


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def drafted(capsys, *arguments: str) -> dict:
    """Run `init` onto standard output; the text must load as a configuration."""
    assert run_cli(["init", "--output", "-", *arguments]) == 0
    text = capsys.readouterr().out
    build_settings([("updater.yaml", text.encode())], {"HOME": "/"})
    return load_yaml("updater.yaml", text.encode())[0].value


def by_key(document: dict) -> dict:
    return {item["key"]: item for item in document["subscriptions"]}


def test_a_marker_takes_image_policy_and_filter_from_its_flux_objects(fleet, capsys):
    (fleet / "shop.yaml").write_text(MARKED)
    (fleet / "policies.yaml").write_text(POLICIES)
    [item] = drafted(capsys)["subscriptions"]
    assert item["image"] == "ghcr.io/acme/shop"
    assert item["policy"] == {"semver": {"range": ">=1.0.0 <2"}}
    assert item["filter"] == {"allow": "^v(?P<v>.*)$", "extract": "$v"}
    assert item["targets"] == [{"git": {"url": "https://git.example.org/fleet.git", "branch": "main"}, "marker": "fleet:shop"}]


def test_kustomizations_and_values_become_targets_of_their_editors(fleet, capsys):
    put(fleet, **{"apps__web__kustomization.yaml": KUSTOMIZATION, "charts__api__values-prod.yaml": VALUES})
    found = by_key(drafted(capsys))
    assert found["web"]["targets"][0]["kustomize"] == {"path": "apps/web", "name": "web"}
    assert found["web"]["policy"] == {"semver": {"range": "^2"}}
    assert found["cache"]["policy"] == {"number": {"order": "asc"}}
    assert found["api"]["policy"] == {"semver": {"range": "~0.9"}}
    file = "charts/api/values-prod.yaml"
    assert found["api"]["targets"][0]["helm"] == {"file": file, "name": "image.repository", "tag": "image.tag"}
    assert found["envoy"]["targets"][0]["helm"] == {"file": file, "spec": "sidecar.image"}


def test_an_image_whose_tag_is_no_version_is_left_out_and_said(fleet, capsys):
    put(fleet, **{"values.yaml": VALUES})
    assert run_cli(["init", "--output", "-"]) == 0
    out, err = capsys.readouterr()
    assert "quay.io/org/thing was left out: 'edge' is not a version" in err
    assert "key: thing" not in out


def test_a_key_with_a_dot_is_quoted_in_the_key_path(fleet, capsys):
    put(fleet, **{"values.yaml": VALUES.replace("edge", "1.0.0")})
    assert by_key(drafted(capsys))["thing"]["targets"][0]["helm"]["tag"] == '"extra.dot".image.tag'


def test_applications_with_annotations_become_a_source(fleet, capsys):
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: a\n  namespace: team\n  annotations: {%s: x=y}\n"
    )
    put(fleet, **{"app.yaml": text % "argocd-image-updater.argoproj.io/image-list"})
    assert drafted(capsys)["sources"] == [{"applications": {"namespaces": ["team"]}}]


def test_renovates_rules_narrow_and_disable(fleet, capsys):
    put(fleet, **{"kustomization.yaml": KUSTOMIZATION, "renovate.json": RULES})
    assert run_cli(["init", "--output", "-", "--from", "kustomize", "--from", "renovate"]) == 0
    out, err = capsys.readouterr()
    assert by_key(load_yaml("updater.yaml", out.encode())[0].value)["web"]["policy"] == {"semver": {"range": "<3"}}
    assert "cache is disabled in the Renovate configuration" in err
    assert "packageRules[2] matches by matchManagers, which is not taken over" in err


@pytest.mark.parametrize(
    ("word", "policy"),
    [
        ("minor", {"semver": {"range": "^1.4.0"}}),
        ("patch", {"semver": {"range": "~1.4.0"}}),
        ("all", {"semver": {"range": "*"}}),
        ("force", {"digest": {"tag": "1.4.0"}}),
    ],
)
def test_keels_policies_keep_their_meaning(fleet, capsys, word, policy):
    put(fleet, **{"shop.yaml": DEPLOYMENT.replace("minor", word)})
    [item] = drafted(capsys, "--from", "keel")["subscriptions"]
    assert item["policy"] == policy
    assert item["targets"][0]["marker"] == "keel:shop-shop"


def test_keel_is_told_which_comment_makes_a_manifest_writable(fleet, capsys):
    put(fleet, **{"shop.yaml": DEPLOYMENT})
    run_cli(["init", "--output", "-", "--from", "keel"])
    assert 'shop.yaml: add the comment  # {"$imagepolicy": "keel:shop-shop"}' in capsys.readouterr().err


def test_no_file_is_overwritten_without_force(fleet, capsys):
    (fleet / "updater.yaml").write_text("mine: true\n")
    assert run_cli(["init"]) == 2
    assert "error: updater.yaml already exists" in capsys.readouterr().err
    assert (fleet / "updater.yaml").read_text() == "mine: true\n"
    assert run_cli(["init", "--force"]) == 0
    assert "subscriptions" in (fleet / "updater.yaml").read_text()


def test_what_nobody_says_is_asked_for_by_its_flag(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    put(tmp_path, **{"kustomization.yaml": KUSTOMIZATION})
    assert run_cli(["init"]) == 2
    assert "error: not known: git URL that is read and pushed to\nhint: name it by --url\n" in capsys.readouterr().err
    assert not (tmp_path / "updater.yaml").exists()


def test_where_nothing_is_found_nothing_is_asked_and_the_next_step_is_told(tmp_path, monkeypatch, capsys):
    """A folder without images gets a file that loads, with an example that loads too once its signs are taken out."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    assert run_cli(["init"]) == 0
    said = capsys.readouterr().err
    assert "no YAML file was found" in said
    assert "next: write a subscription by the example in updater.yaml" in said
    text = (tmp_path / "updater.yaml").read_text()
    assert build_settings([("updater.yaml", text.encode())], {"HOME": "/"}).subscriptions == ()
    before, _, after = text.partition("subscriptions: []\n")
    example, _, author = after.partition("# required once something is written to Git:\n")
    taken = "subscriptions:\n" + example.replace("\n#", "\n").removeprefix("#") + author.replace("\n# ", "\n").removeprefix("# ")
    made = build_settings([("updater.yaml", f"{before}{taken}".encode())], {"HOME": "/"})
    assert [item.key for item in made.subscriptions] == ["shop"]
    assert made.git.author.name == "image updates"


def test_an_author_taken_from_git_is_said_in_the_file_and_one_that_is_named_is_not(fleet, capsys):
    put(fleet, **{"kustomization.yaml": KUSTOMIZATION})
    assert run_cli(["init"]) == 0
    assert "this author is from your Git configuration" in (fleet / "updater.yaml").read_text()
    assert run_cli(["init", "--force", "--author", "Robot <robot@example.org>"]) == 0
    text = (fleet / "updater.yaml").read_text()
    assert ("from your Git configuration" in text, "Robot" in text) == (False, True)


def test_comments_behind_values_stand_two_blanks_away(fleet):
    put(fleet, **{"kustomization.yaml": KUSTOMIZATION, "values.yaml": VALUES})
    assert run_cli(["init"]) == 0
    beside = [line for line in (fleet / "updater.yaml").read_text().split("\n") if "#" in line.lstrip(" #") and line[0] == " "]
    assert len(beside) > 4
    assert all("  # " in line and "   # " not in line for line in beside)


def test_a_password_in_the_remote_is_not_copied(fleet, capsys):
    subprocess.run(["git", "remote", "set-url", "origin", "https://me:hunter2@git.example.org/fleet.git"], check=True)
    put(fleet, **{"kustomization.yaml": KUSTOMIZATION})
    assert run_cli(["init"]) == 2
    assert "hunter2" not in "".join(capsys.readouterr())


def test_a_folder_of_a_checkout_names_files_from_the_root(fleet, capsys):
    put(fleet, **{"apps__web__kustomization.yaml": KUSTOMIZATION, "other__values.yaml": VALUES})
    found = by_key(drafted(capsys, "apps"))
    assert found["web"]["targets"][0]["kustomize"]["path"] == "apps/web"
    assert "api" not in found
