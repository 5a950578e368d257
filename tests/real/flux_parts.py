"""Starts the real programs of Flux beside a cluster on loopback: source-controller, kustomize-controller and the command flux.

Everything is kept in one folder; ending a controller leaves nothing behind.
"""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from tests.real.daemon_process import PATIENCE, until
from tests.real.flux_objects import MERGE, NAMESPACE, REQUESTED_AT, condition
from tests.real.parts import ended, free_port, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.real.cluster import Cluster

SOURCE_CONTROLLER: Final = "source-controller"
KUSTOMIZE_CONTROLLER: Final = "kustomize-controller"
FLUX: Final = "flux"


class FluxController:
    """A controller of Flux in a process of its own; as a context it is ready when entered, and has ended when left.

    It reaches the cluster by *kubeconfig*, and listens on loopback only.
    """

    def __init__(self, program: str, folder: Path, kubeconfig: Path, flags: Sequence[str] = ()) -> None:
        self.name = program
        self.folder = folder
        self._path = require(program)
        self._kubeconfig = kubeconfig
        self._flags = tuple(flags)
        self._metrics_port, self._health_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        work = self.folder / f"{self.name}-work"
        work.mkdir(parents=True, exist_ok=True)
        command = [
            self._path,
            "--events-addr=",
            f"--metrics-addr=127.0.0.1:{self._metrics_port}",
            f"--health-addr=127.0.0.1:{self._health_port}",
            "--watch-all-namespaces=true",
            "--enable-leader-election=false",
            "--interval-jitter-percentage=0",
            "--log-encoding=console",
            *self._flags,
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=work, stdout=log, stderr=log, env=_environment(self._kubeconfig, work, RUNTIME_NAMESPACE=NAMESPACE)
            )
        try:
            until(self._is_ready, say=self.said)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask it to end, and end it where it does not."""
        if self._process is not None:
            ended(self._process)
        self._process = None

    def said(self) -> str:
        """Return the end of what it logged."""
        return self.log.read_text(errors="replace")[-6000:]

    def metrics(self) -> str:
        """Return its metrics as text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} ended at once: {self.said()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health_port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def source_controller(folder: Path, kubeconfig: Path, flags: Sequence[str] = ()) -> FluxController:
    """Return a source-controller that serves its artifacts on loopback; skip the test by name where the program is absent.

    Its definitions must be installed (`flux_objects.install_flux`) before it is entered.
    """
    storage = folder / "artifacts"
    storage.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    own = (f"--storage-path={storage}", f"--storage-addr={address}", f"--storage-adv-addr={address}")
    return FluxController(SOURCE_CONTROLLER, folder, kubeconfig, (*own, *flags))


def kustomize_controller(folder: Path, kubeconfig: Path, flags: Sequence[str] = ()) -> FluxController:
    """Return a kustomize-controller; skip the test by name where the program is absent."""
    return FluxController(KUSTOMIZE_CONTROLLER, folder, kubeconfig, flags)


def start_flux(kubeconfig: Path, folder: Path, *arguments: str, namespace: str = NAMESPACE) -> subprocess.Popen[str]:
    """Start the command flux with *arguments*, and return at once: a command that waits is answered while it runs.

    Skip the test by name where the program is absent.
    """
    home = folder / "flux-home"
    home.mkdir(parents=True, exist_ok=True)
    command = [require(FLUX), *arguments, f"--namespace={namespace}"]
    return subprocess.Popen(
        command,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(kubeconfig, home),
    )


def end_flux(started: subprocess.Popen[str], *, seconds: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """Wait for a command of `start_flux`, and return what it said; a command that goes on is killed, and the test fails."""
    try:
        output, errors = started.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        started.kill()
        output, errors = started.communicate()
        raise AssertionError(f"flux goes on after {seconds:.0f} s: {output}{errors}") from None
    return subprocess.CompletedProcess(started.args, started.returncode, output, errors)


def run_flux(
    kubeconfig: Path, folder: Path, *arguments: str, namespace: str = NAMESPACE, seconds: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    """Run the command flux to its end, and return what it said."""
    return end_flux(start_flux(kubeconfig, folder, *arguments, namespace=namespace), seconds=seconds)


def request_reconciliation(cluster: Cluster, path: str) -> str:
    """Annotate an object as `flux reconcile` does, and return the value."""
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    cluster.request("PATCH", path, {"metadata": {"annotations": {REQUESTED_AT: moment}}}, form=MERGE)
    return moment


def until_ready(cluster: Cluster, path: str, *, requested: str = "", seconds: float = PATIENCE) -> dict[str, Any]:
    """Wait until an object is ready at its generation, and has handled what was *requested*; return it."""
    body: dict[str, Any] = {}

    def is_ready() -> bool:
        body.clear()
        body.update(cluster.request("GET", path))
        status, ready = body.get("status", {}), condition(body)
        # Flux's controllers write the conditions first, and the rest of the status by a second request
        seen = (ready.get("observedGeneration"), status.get("observedGeneration"))
        is_current = set(seen) == {body["metadata"]["generation"]}
        is_handled = not requested or status.get("lastHandledReconcileAt") == requested
        return ready.get("status") == "True" and is_current and is_handled

    until(is_ready, seconds, say=lambda: body)
    return body


def write_status(cluster: Cluster, path: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """Merge *status* into that of an object, as its controller does, and return the object."""
    written: dict[str, Any] = cluster.request("PATCH", f"{path}/status", {"status": dict(status)}, form=MERGE)
    return written


def exists(cluster: Cluster, path: str) -> bool:
    """Return whether the API server holds an object at *path*."""
    try:
        cluster.request("GET", path)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return False
    return True


def _environment(kubeconfig: Path, home: Path, **more: str) -> dict[str, str]:
    """Return the variables of a program that finds nothing of the person who runs the tests."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.upper().startswith(("KUBE", "FLUX_")) and "PROXY" not in key.upper()
    }
    return {**kept, "KUBECONFIG": str(kubeconfig), "HOME": str(home), "TMPDIR": str(home), **more}
