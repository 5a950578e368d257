"""What a command imports is counted, as the seconds of a start depend on the machine."""

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from updater.cli.collector import importing

ROOT = Path(__file__).parents[2]
HEAVY = frozenset({"aiohttp", "apscheduler", "cryptography", "dulwich", "pydantic", "re2", "ruamel", "urllib3"})
OF_A_CLUSTER = frozenset({"updater.argocd", "updater.engine.schedule", "updater.flux", "updater.kube"})
OF_TEMPLATES = frozenset({"updater.templates.parser", "updater.templates.functions"})


def imported(*arguments, cwd):
    script = (
        "import json, sys; from updater.cli.main import run_cli; code = run_cli(sys.argv[1:]);"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, cwd=cwd)
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout + done.stderr
    return set(names)


def test_the_version_is_said_without_any_of_the_libraries():
    assert imported("version", cwd=ROOT) & HEAVY == set()


def test_a_pass_over_branches_imports_no_cluster_no_scheduler_no_key_and_no_template_language(tmp_path):
    (tmp_path / "updater.yaml").write_text(f"state: {tmp_path}/state\nsubscriptions: []\n")
    names = imported("once", cwd=tmp_path)
    assert "updater.daemon.generation" in names
    assert names & (OF_A_CLUSTER | OF_TEMPLATES | {"apscheduler", "cryptography"}) == set()


@pytest.mark.parametrize("is_enabled", [True, False])
def test_imports_leave_the_collector_as_it_was(is_enabled):
    was_enabled = gc.isenabled()
    (gc.enable if is_enabled else gc.disable)()
    try:
        with importing():
            assert not gc.isenabled()
        assert gc.isenabled() is is_enabled
    finally:
        gc.unfreeze()
        (gc.enable if was_enabled else gc.disable)()
