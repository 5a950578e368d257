"""What the lab of `make cluster` promises: every part works and answers only who may ask, and nothing of it stays behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.fakes.git_server import run_git
from tests.real.lab import EXAMPLE_TAGS, PROGRAMS, USER, Lab, definitions_folder
from tests.real.lab_command import push
from tests.real.lab_objects import EXAMPLES, ROOT
from tests.real.parts import require

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("lab")]

APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    for program in PROGRAMS:
        require(program)
    with Lab(tmp_path_factory.mktemp("lab"), definitions=definitions_folder()) as lab:
        yield lab


@pytest.fixture(scope="module")
def examples(lab):
    return lab.apply_examples()


def running_in(folder):
    """Name the programs that were started with something of *folder*."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes()
            if str(folder).encode() in line:
                found.add(Path(line.partition(b"\0")[0].decode()).name)
    return found


def test_every_example_is_taken_by_the_api_server(examples):
    written = [body for path in EXAMPLES.glob("*.yaml") for body in yaml.safe_load_all(path.read_text())]
    assert sorted(examples) == sorted(
        f"{body['kind']} {body['metadata']['namespace']}/{body['metadata']['name']}" for body in written
    )


def test_every_application_among_the_examples_has_the_status_that_argo_cd_writes(lab, examples):
    for item in lab.cluster.request("GET", APPLICATIONS)["items"]:
        status = item["status"]
        assert all(image.startswith(f"{lab.registry.host}/acme/") for image in status["summary"]["images"]), item["metadata"][
            "name"
        ]
        types = status.get("sourceTypes") or [status["sourceType"]]
        assert len(types) == len(item["spec"].get("sources") or [item["spec"]["source"]]), item["metadata"]["name"]


def test_examples_name_only_what_the_lab_has(lab, examples):
    items = str(lab.cluster.request("GET", APPLICATIONS))
    assert "git.example.org" not in items
    assert "registry.example.org" not in items
    assert "example.org" not in str(
        [lab.repository.show(path) for path in lab.repository.git("ls-tree", "-r", "--name-only", "main").split()]
    )


def test_what_the_examples_speak_of_is_in_the_registry(lab, examples):
    for image, tags in EXAMPLE_TAGS.items():
        with urllib.request.urlopen(f"{lab.registry.url}/v2/{image}/tags/list", timeout=10) as answer:
            assert sorted(yaml.safe_load(answer.read())["tags"]) == sorted(tags)


def test_the_git_server_lets_in_who_shows_the_password_and_the_authority_of_argo_cds_objects(lab, tmp_path):
    secret = lab.cluster.request("GET", "/api/v1/namespaces/argocd/secrets/fleet")
    trusted = lab.cluster.request("GET", "/api/v1/namespaces/argocd/configmaps/argocd-tls-certs-cm")["data"]["127.0.0.1"]
    assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repository"
    authority = tmp_path / "ca.pem"
    authority.write_text(trusted)
    url = lab.git_url.replace("https://", f"https://{USER[0]}:{USER[1]}@")
    assert "refs/heads/main" in run_git("-c", f"http.sslCAInfo={authority}", "ls-remote", url)
    with pytest.raises(AssertionError, match="could not read Username"):
        run_git("-c", f"http.sslCAInfo={authority}", "ls-remote", lab.git_url)
    with pytest.raises(AssertionError, match="certificate"):
        run_git("ls-remote", url)


def test_an_application_reads_its_own_folder_of_the_fleet_and_runs_images_of_the_registry(lab):
    made = lab.application(
        "one", images=["acme/shop:1.0.0", "ghcr.io/o/r:2"], annotations={"image-list": "s={host}/acme/shop", "own/key": "x"}
    )
    assert made["spec"]["source"] == {"repoURL": lab.git_url, "path": "apps/one", "targetRevision": "main"}
    assert made["status"]["summary"]["images"] == [f"{lab.registry.host}/acme/shop:1.0.0", "ghcr.io/o/r:2"]
    assert made["metadata"]["annotations"] == {
        "argocd-image-updater.argoproj.io/image-list": f"s={lab.registry.host}/acme/shop",
        "own/key": "x",
    }


def test_playing_argo_cd_writes_a_new_status_and_answers_a_refresh(lab):
    lab.application("played", images=["acme/shop:1"], annotations={"argocd.argoproj.io/refresh": "normal", "image-list": "a"})
    lab.play("played", images=["acme/shop:2"], types=["Helm", "Directory"])
    kept = lab.cluster.request("GET", f"{APPLICATIONS}/played")
    assert kept["status"]["summary"]["images"] == [f"{lab.registry.host}/acme/shop:2"]
    assert kept["status"]["sourceTypes"] == ["Helm", "Directory"]
    assert list(kept["metadata"]["annotations"]) == ["argocd-image-updater.argoproj.io/image-list"]


def test_an_image_updater_is_taken_with_its_status_apart(lab):
    made = lab.image_updater("some", {"applicationRefs": [{"namePattern": "one", "useAnnotations": True}]})
    path = f"/apis/argocd-image-updater.argoproj.io/v1alpha1/namespaces/argocd/imageupdaters/{made['metadata']['name']}"
    lab.cluster.request("PATCH", f"{path}/status", {"status": {"imagesManaged": 3}}, form="application/merge-patch+json")
    kept = lab.cluster.request("GET", path)
    assert kept["status"]["imagesManaged"] == 3
    assert kept["metadata"]["generation"] == 1


def test_what_persons_commit_stands_in_the_log(lab):
    lab.repository.commit({"apps/two/values.yaml": b"image: {tag: 1.0.0}\n"}, message="Two")
    assert lab.git_log()[0] == "Person: Two"


def test_a_pass_over_the_examples_writes_each_to_its_newest_version_in_one_commit_and_one_patch(tmp_path):
    for program in PROGRAMS:
        require(program)
    with Lab(tmp_path, definitions=definitions_folder()) as lab:
        lab.apply_examples()
        (tmp_path / "updater.yaml").write_text(lab.settings())
        command = [sys.executable, "-m", "updater", "once", "-c", str(tmp_path / "updater.yaml")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert lab.git_log()[1:] == ["Person: first"]
        written = {
            path: lab.repository.show(path).decode()
            for path in lab.repository.git("ls-tree", "-r", "--name-only", "main").split()
        }
        assert "value: 1.4.1" in written["apps/shop/.argocd-source-shop.yaml"]
        assert "newTag: 2.4.7" in written["apps/web/kustomization.yaml"]
        assert 'tag: "7.1.0"      # a chart' in written["apps/mail/values.yaml"]
        assert "tag: build-18}" in written["apps/search/values.yaml"]
        assert 'tag: "0.9.2"' in written["apps/api/values.yaml"]
        api = lab.cluster.request("GET", f"{APPLICATIONS}/api")["spec"]["source"]["helm"]["parameters"]
        assert {item["name"]: item["value"] for item in api} == {
            "replicaCount": "3",
            "image.repository": f"{lab.registry.host}/acme/api",
            "image.tag": "0.9.3",
        }


def test_what_a_person_types_is_pushed_and_what_is_no_tag_is_said_so(lab):
    assert f"pushed  {lab.registry.host}/acme/typed:1.0.0  sha256:" in push(lab, "acme/typed:1.0.0")
    assert "pushed" in push(lab, f"{lab.registry.host}/acme/typed:1.0.1")
    assert "is no image with a tag" in push(lab, "acme/typed")
    assert "is no image with a tag" in push(lab, "../typed:1 ")
    with urllib.request.urlopen(f"{lab.registry.url}/v2/acme/typed/tags/list", timeout=10) as answer:
        assert sorted(yaml.safe_load(answer.read())["tags"]) == ["1.0.0", "1.0.1"]


def start_command(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.real.lab_command", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "example"), [((), "ImageUpdater argocd/messaging"), (("--flux",), "ImagePolicy flux-system/shop")]
)
def test_the_command_says_where_all_is_and_a_signal_ends_it_without_a_trace(tmp_path, arguments, example):
    for program in PROGRAMS:
        require(program)
    with start_command(*arguments, TMPDIR=str(tmp_path)) as command:
        said = []
        for line in command.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        text = "".join(said)
        folder = Path(re.search(r"export KUBECONFIG=(\S+)/kubeconfig", text)[1])
        assert folder.parent == tmp_path
        kubeconfig = yaml.safe_load((folder / "kubeconfig").read_text())
        assert kubeconfig["clusters"][0]["cluster"]["server"] in text
        assert yaml.safe_load((folder / "updater.yaml").read_text())["registries"][0]["prefix"] in text
        assert example in text
        command.send_signal(signal.SIGTERM)
        rest = command.stderr.read()
    assert command.returncode == 0, rest
    assert "nothing of it is left" in rest
    assert not list(tmp_path.iterdir())
    assert not running_in(tmp_path)


@pytest.mark.parametrize(
    ("make", "arguments", "code", "says"),
    [
        (lambda folder: (folder / "notes").write_text("mine"), True, 2, "is not an empty folder"),
        (lambda folder: None, False, 1, "bash .ci/parts etcd kube_apiserver builds them"),
    ],
)
def test_the_command_refuses_a_folder_in_use_and_names_the_programs_that_are_missing(tmp_path, make, arguments, code, says):
    make(tmp_path)
    away = {} if arguments else {"PATH": str(tmp_path), "UPDATER_REAL_PARTS": str(tmp_path), "HOME": str(tmp_path)}
    with start_command(*(["--keep", str(tmp_path)] if arguments else []), **away) as command:
        _, said = command.communicate(timeout=60)
    assert command.returncode == code
    assert says in said
    assert said.startswith("error: ")


def test_without_the_owners_definitions_any_spec_is_taken_and_no_process_outlives_the_lab(tmp_path):
    for program in PROGRAMS:
        require(program)
    with Lab(tmp_path) as lab:
        assert lab.application("one", images=["acme/shop:1"], labels={"x": "y"})["status"]["sourceType"] == "Helm"
        made = lab.image_updater("one", {"applicationRefs": []})
        assert made["spec"] == {"applicationRefs": []}
        assert {"etcd", "kube-apiserver"} <= running_in(tmp_path)
    assert not running_in(tmp_path)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{lab.registry.url}/v2/", timeout=5)
