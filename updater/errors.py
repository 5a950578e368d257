"""Every error a person may see, each with a stable code and a hint that helps.

::

    UpdaterError                 code, hint
    ├── ConfigError              path of the file and of the key; `problems` holds all of a file
    ├── PolicyError              a policy or filter that cannot be built
    ├── ImageSyntaxError         a text that is no image reference, digest or platform
    ├── TemplateError            a message or branch template that does not parse or run
    ├── RegistryError
    │   ├── RegistryUnavailable  try again later
    │   │   └── RateLimited      try again after `retry_after` seconds
    │   ├── RegistryDenied       401 and 403
    │   ├── ImageNotFound        404 for a name, tag or digest
    │   └── RegistryProtocolError  an answer outside the specification
    ├── KubeError
    │   ├── KubeUnavailable      try again later, after `retry_after` seconds where the server said so
    │   ├── KubeDenied           401 and 403, or no way to say who we are
    │   ├── KubeConflict         somebody else was faster, or owns the field: read and decide again
    │   └── KubeGone             the object is not there, or the version asked for is too old
    ├── GitError
    │   ├── GitUnavailable       try again later
    │   ├── GitDenied            credentials or rights
    │   └── PushRefused          somebody was faster: look and decide again
    ├── ForgeError               a pull request that cannot be read or written
    └── EditError                path and line of the place that cannot be edited safely

A class of its own stands only where a caller acts on it. Nothing matching, up to date and filtered
out are outcomes, never errors. Foreign exceptions never leave the package that imports the library.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

#: codes of errors whose message has no word of a server in it
_OWN_WORDS: Final = frozenset(
    {
        *("branch-missing", "branch-name", "branch-not-ours", "branch-template", "foreign-commits", "git-url"),
        *("checkout-ref", "push-branch-missing", "push-options-unsupported", "ref-missing"),
    }
)
_IN_LOG: Final = "what it answered is in the log of updater alone"


class UpdaterError(Exception):
    """Base of every expected error.

    *code* is a stable word (log field, metric label, docs heading); *hint* says what to do next. `public` is the message for
    those who may write objects and not read our log: whoever names a server must not read what it answers us. A class whose
    message may repeat a server says in *summary* what is said instead.
    """

    default_code = "error"
    summary: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code

    @property
    def public(self) -> str:
        """The message without words of a server."""
        return f"{self.summary}; {_IN_LOG}" if self.summary and self.code not in _OWN_WORDS else self.message


class ConfigError(UpdaterError):
    """A configuration that cannot be used; *path* is the file, or the file and the key in it.

    *problems* holds everything that is wrong with it as `updater.model.problem.Problem`, where more could be said.
    """

    default_code = "config"

    def __init__(
        self, message: str, *, hint: str = "", code: str | None = None, path: str = "", problems: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.path = path
        self.problems = problems


class PolicyError(UpdaterError):
    """A policy or filter whose options cannot be used."""

    default_code = "policy"


class ImageSyntaxError(UpdaterError):
    """A text that does not follow the grammar of image references."""

    default_code = "image-syntax"


class TemplateError(UpdaterError):
    """A template that does not parse, or fails while it runs."""

    default_code = "template"


class RegistryError(UpdaterError):
    """Something went wrong between us and a registry."""

    default_code = "registry"
    summary = "the registry cannot be used"


class RegistryUnavailable(RegistryError):  # noqa: N818 - the name says what is the case, as in the design
    """No usable answer now; the same request may work later."""

    default_code = "registry-unavailable"
    summary = "the registry gave no usable answer"


class RateLimited(RegistryUnavailable):
    """The registry asked us to wait; *retry_after* is in seconds, None where it did not say."""

    default_code = "rate-limited"
    summary = "the registry asks for fewer requests"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after = retry_after


class RegistryDenied(RegistryError):  # noqa: N818 - named by what happened, as in client libraries
    """The registry refused our credentials, or their lack."""

    default_code = "registry-denied"
    summary = "the registry denied access"


class ImageNotFound(RegistryError):  # noqa: N818 - named by what happened, as in client libraries
    """The registry does not know this image name, tag or digest."""

    default_code = "image-not-found"
    summary = "the registry does not have this"


class RegistryProtocolError(RegistryError):
    """The answer is outside the specification: HTML, a wrong digest, endless pages, too many bytes."""

    default_code = "registry-protocol"
    summary = "the answer of the registry is outside the specification"


class KubeError(UpdaterError):
    """Something went wrong between us and a Kubernetes API server."""

    default_code = "kube"


class KubeUnavailable(KubeError):  # noqa: N818 - named by what happened, as in client libraries
    """No usable answer now; *retry_after* is in seconds, None where the server did not say."""

    default_code = "kube-unavailable"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after = retry_after


class KubeDenied(KubeError):  # noqa: N818 - named by what happened, as in client libraries
    """The API server does not know us or grants us too little, or nothing says who we are."""

    default_code = "kube-denied"


class KubeConflict(KubeError):  # noqa: N818 - named by what happened, as in client libraries
    """The object changed since it was read, is there already, or a field belongs to somebody else."""

    default_code = "kube-conflict"


class KubeGone(KubeError):  # noqa: N818 - named by what happened, as in client libraries
    """The object is not there (code ``kube-not-found``), or the version asked for is no longer kept."""

    default_code = "kube-gone"


class GitError(UpdaterError):
    """Something went wrong between us and a Git repository."""

    default_code = "git"
    summary = "the Git repository cannot be used"


class GitUnavailable(GitError):  # noqa: N818 - named by what happened, as in client libraries
    """The Git server gave no usable answer now."""

    default_code = "git-unavailable"
    summary = "the Git server gave no usable answer"


class GitDenied(GitError):  # noqa: N818 - named by what happened, as in client libraries
    """The Git server refused our credentials, or a host key or certificate was not the expected one."""

    default_code = "git-denied"
    summary = "the Git server denied access"


class PushRefused(GitError):  # noqa: N818 - named by what happened, as in client libraries
    """The branch moved since we looked, or the server declined the push."""

    default_code = "push-refused"
    summary = "the push was refused"


class ForgeError(UpdaterError):
    """A pull request that cannot be read or written; the code says why."""

    default_code = "forge-error"
    summary = "the forge cannot be used"


class EditError(UpdaterError):
    """A place that cannot be edited safely; nothing of it was written."""

    default_code = "edit"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, path: str = "", line: int | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.path = path
        self.line = line
