"""Every way in which talking to a Git server or keeping a mirror can fail, each with its code, class and hint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from updater.errors import GitDenied, GitError, GitUnavailable, PushRefused

_MAX_DETAIL: Final = 600
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@]+@")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class GitFault:
    """One kind of failure: the class a caller acts on, and what to do next."""

    error: type[GitError]
    hint: str


FAULTS: Final[dict[str, GitFault]] = {
    "git-url": GitFault(
        GitError, "write https://host/path, http://host/path, ssh://user@host/path, user@host:path or a local path"
    ),
    "git-unreachable": GitFault(GitUnavailable, "check the host name, the port, the network and the proxy"),
    "git-timeout": GitFault(GitUnavailable, "the server or the network was too slow: check its load"),
    "git-interrupted": GitFault(
        GitUnavailable, "the connection broke in the middle of an answer: check the network, the proxy and the server"
    ),
    "git-unavailable": GitFault(GitUnavailable, "the server has a problem of its own: check its state and its log"),
    "git-rate-limited": GitFault(GitUnavailable, "the server asks for fewer requests: look less often, or use a web hook"),
    "git-denied": GitFault(GitDenied, "check `credentials` of this repository: user name and token, and what the token may do"),
    "git-forbidden": GitFault(
        GitDenied, "the credentials are known but lack the right: they need to read, and to push where updates land"
    ),
    "git-proxy": GitFault(GitDenied, "the proxy wants credentials: write them into `proxy` of this repository"),
    "git-tls": GitFault(
        GitDenied, "give the server's authority as `ca`, or a `client_certificate` where the server asks for one"
    ),
    "git-certificate": GitFault(GitDenied, "the file must hold a PEM certificate, and for a client its private key too"),
    "git-redirect": GitFault(GitError, "write the new URL into the configuration; credentials are never carried to another host"),
    "git-not-found": GitFault(
        GitError, "check the URL; many servers also return this when the credentials are missing or may not read"
    ),
    "git-protocol": GitFault(GitError, "the answer is not Git's smart protocol: check that the URL is the one `git clone` takes"),
    "git-limit": GitFault(GitError, "if the repository is meant to be so large, raise the limit under git.limits"),
    "git-deadline": GitFault(
        GitUnavailable, "the server answers too slowly, or never ends: check its load, or raise git.limits.deadline"
    ),
    "git-object-format": GitFault(GitError, "only repositories with SHA-1 object names are read"),
    "host-key-unknown": GitFault(GitDenied, "compare the fingerprint with the server's own, then add its line to `known_hosts`"),
    "host-key-changed": GitFault(
        GitDenied, "the server was reinstalled, or the connection is intercepted: compare the fingerprint first"
    ),
    "ssh-key": GitFault(GitDenied, "the private key must be an unencrypted or correctly unlocked Ed25519, ECDSA or RSA key"),
    "signing-key": GitFault(
        GitError,
        "an SSH key must be an Ed25519, ECDSA or RSA private key, an OpenPGP key one armored private key, with its passphrase",
    ),
    "push-refused": GitFault(PushRefused, "somebody else pushed first: the update is re-evaluated on top of the new head"),
    "branch-conflict": GitFault(
        PushRefused, "Git keeps no branch whose name begins another one's: delete the branch that stands in the way, or rename"
    ),
    "host-key-revoked": GitFault(
        GitDenied, "known_hosts marks this key by @revoked: it may be in the wrong hands, so ask who runs the server first"
    ),
    "ssh-algorithms": GitFault(GitError, "allow one of the program's algorithms on the server, or reach the repository by https"),
    "push-declined": GitFault(
        PushRefused, "a rule of the server rejected the push: see its message, branch protection and hooks"
    ),
    "foreign-commits": GitFault(
        PushRefused, "the push branch has commits by others: merge or delete the branch, or use another one"
    ),
    "branch-not-ours": GitFault(
        PushRefused,
        "updater creates push branches and rebuilds them from their base: name a branch that does not exist, or delete this one",
    ),
    "diverged": GitFault(PushRefused, "rebase the commits of the checkout onto the branch, then run the same command again"),
    "push-unknown": GitFault(
        GitUnavailable, "it is not known whether the push arrived: the branch is read again, and nothing is written twice"
    ),
    "push-options-unsupported": GitFault(GitError, "set receive.advertisePushOptions on the server, or remove the push options"),
    "checkout-ref": GitFault(GitError, "correct the reference that is checked out"),
    "ref-missing": GitFault(GitError, "push the tag or ref to the server, or correct its name"),
    "push-branch-missing": GitFault(GitError, "name the branch to push: commits cannot be pushed to a tag or a commit"),
    "branch-missing": GitFault(GitError, "create the branch on the server, or correct its name in the configuration"),
    "branch-name": GitFault(GitError, "name a branch as git does: no spaces, no .., none of ~^:?*[ and no / at either end"),
    "history-missing": GitFault(
        GitUnavailable, "the server did not give the commits that were asked for: check its state and its log"
    ),
    "history-large": GitFault(
        GitError,
        "let the server leave files out of answers (uploadpack.allowFilter), or raise git.limits.history;"
        " until then only the last commits are read",
    ),
    "git-object": GitFault(
        GitError, "the repository is malformed: `git fsck` in a clone names the tree, and a new commit mends it"
    ),
    "mirror-broken": GitFault(GitUnavailable, "the mirror on disk is damaged or gone; the next fetch rebuilds it"),
    "mirror-disk": GitFault(GitError, "the folder of mirrors (`state`) must be writable and have free space"),
    "hooks": GitFault(GitError, "this local repository has hooks, and without the git program they would not run: install git"),
    "checkout": GitFault(GitError, "run the command inside a Git checkout"),
    "no-branch": GitFault(GitError, "name the branch to push to by --branch, or give the checked-out one an upstream"),
    "work-tree": GitFault(GitError, "the checkout cannot be written: check its rights and that no other git command runs"),
}


def fault(code: str, message: str, *, hint: str = "") -> GitError:
    """Make the error of *code*; server texts inside *message* are cleaned of control characters and user info."""
    kind = FAULTS[code]
    return kind.error(clean(message), hint=hint or kind.hint, code=code)


def clean(text: str) -> str:
    """Drop control characters and URL user info, and cut what is too long for a log line."""
    shown = _USERINFO.sub("", _CONTROL.sub(" ", text)).strip()
    return shown if len(shown) <= _MAX_DETAIL else shown[: _MAX_DETAIL - 1] + "…"
