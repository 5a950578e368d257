"""Starts what rolls workloads out beside a cluster: the rest of Kubernetes, a kubelet that is played, Argo Rollouts, Flagger.

Every program is the real one. Only kubelets are played, by kwok: pods become Running and Ready, and nothing runs in them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tests.real.flux_objects import MERGE
from tests.real.parts import ended, free_port, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.real.cluster import Cluster

NODE: Final = "node-one"
ROLLOUTS: Final = "rollouts-controller"
FLAGGER: Final = "flagger"
_CONTROLLERS: Final = (
    "deployment,replicaset,statefulset,daemonset,namespace,garbagecollector,endpointslice,endpoint,serviceaccount"
)


class Controller:
    """A program in a process of its own that reaches the cluster by a kubeconfig. As a context it has ended when left."""

    def __init__(self, program: str, folder: Path, flags: Sequence[str]) -> None:
        self.name = program
        self.log = folder / f"{program}.log"
        self._folder = folder
        self._command = [require(program), *flags]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("KUBE") and "PROXY" not in key.upper()}
        with self.log.open("ab") as log:
            environment = {**kept, "HOME": str(self._folder)}
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log, env=environment)

    def stop(self) -> None:
        """Ask it to end, and end it where it does not."""
        if self._process is not None:
            ended(self._process)
        self._process = None

    def said(self) -> str:
        """Return the end of what it logged; fails where it has ended by itself."""
        text = self.log.read_text(errors="replace")[-6000:]
        assert self._process is None or self._process.poll() is None, f"{self.name} ended: {text}"
        return text


def kubernetes(folder: Path, kubeconfig: Path) -> list[Controller]:
    """Return what makes a Deployment roll: controller-manager, scheduler, and kwok as the kubelet."""
    stages = Path(require("kwok")).with_name("kwok-stages.yaml")
    given, alone = f"--kubeconfig={kubeconfig}", "--leader-elect=false"
    local = ("--bind-address=127.0.0.1", "--authentication-skip-lookup=true", f"--cert-dir={folder}")
    manager = (given, alone, *local, f"--secure-port={free_port()}", f"--controllers={_CONTROLLERS}")
    scheduler = (given, alone, *local, f"--secure-port={free_port()}")
    kwok = (given, f"--config={stages}", "--manage-all-nodes=true", f"--server-address=127.0.0.1:{free_port()}")
    return [
        Controller("kube-controller-manager", folder, manager),
        Controller("kube-scheduler", folder, scheduler),
        Controller("kwok", folder, kwok),
    ]


def rollouts_controller(folder: Path, kubeconfig: Path) -> Controller:
    """Return Argo Rollouts; its definitions must be installed before it is entered."""
    ports = (f"--metricsPort={free_port()}", f"--healthzPort={free_port()}")
    return Controller(ROLLOUTS, folder, (f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--namespaced=false", *ports))


def flagger(folder: Path, kubeconfig: Path, *, prometheus: str) -> Controller:
    """Return Flagger without a mesh; its definitions must be installed before it is entered."""
    flags = (f"-kubeconfig={kubeconfig}", "-mesh-provider=kubernetes", f"-metrics-server={prometheus}", f"-port={free_port()}")
    return Controller(FLAGGER, folder, (*flags, "-log-level=info", "-control-loop-interval=2s"))


def definitions_of(program: str) -> Path:
    """Return the definitions that came with a program, as .ci/parts put them beside it."""
    return Path(require(program)).with_name(f"{program}-crds.yaml")


def add_node(cluster: Cluster) -> None:
    """Make the one node, with room for the pods of every test, and without the taint of a node that nobody has seen ready."""
    room = {"cpu": "64", "memory": "256Gi", "pods": "500"}
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "annotations": {"kwok.x-k8s.io/node": "fake"}},
    }
    cluster.apply(f"/api/v1/nodes/{NODE}", body)
    for path, change in (("", {"spec": {"taints": None}}), ("/status", {"status": {"allocatable": room, "capacity": room}})):
        cluster.request("PATCH", f"/api/v1/nodes/{NODE}{path}", change, form=MERGE)
