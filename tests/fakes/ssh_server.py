"""A real OpenSSH server on a high port of loopback, for one user: whoever runs the tests."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.parts import free_port


def make_key(file: Path, kind: str = "ed25519", passphrase: str = "") -> bytes:
    """Make a key pair by ssh-keygen; gives the private key's bytes."""
    size = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", "test", "-f", file], check=True)
    return file.read_bytes()


@dataclass
class SshServer:
    """Accepts the public keys in *authorized*; used as a context manager. *folder* must be private."""

    folder: Path
    program: str
    authorized: list[Path] = field(default_factory=list)
    accepts_protocol: bool = True
    more: str = ""
    port: int = 0

    def __enter__(self):
        self.port = self.port or free_port()
        host_key = self.folder / "host_key"
        if not host_key.exists():
            make_key(host_key)
        keys = self.folder / "authorized_keys"
        keys.write_text("".join(file.read_text() for file in self.authorized))
        keys.chmod(0o600)
        self.home.mkdir(exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile {self.folder}/sshd.pid\n"
            f"AuthorizedKeysFile {keys}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            f"SetEnv HOME={self.home}\n" + ("AcceptEnv GIT_PROTOCOL\n" if self.accepts_protocol else "") + self.more
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # privilege separation wants it
        log = (self.folder / "log").open("w")
        self._process = subprocess.Popen([self.program, "-D", "-e", "-f", str(config)], stderr=log, stdout=log)
        log.close()
        self._wait()
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(10)

    def _wait(self):
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    @property
    def home(self) -> Path:
        """Where a user of this server is at home; empty, so that no shell reads what a person has written into theirs."""
        return self.folder / "home"

    @property
    def known_hosts(self) -> bytes:
        public = (self.folder / "host_key.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n".encode()

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def connections(self) -> int:
        return (self.folder / "log").read_text().count("Accepted publickey")
