"""What each setting of Argo CD Image Updater may say, and what it means in the words of this program.

Sources: the peer's annotation reference and the schema of its ImageUpdater objects. Every reader raises an `UpdaterError`
with a hint; a value that the peer would pass over (an unknown strategy read as semver, a filter that matches nothing) is an
error here, because nobody decided what it would write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError
from updater.model.credential import parse_credential_ref
from updater.model.image import parse_platform
from updater.model.subscription import Downgrade, Form, PolicySpec, Variant
from updater.policies.filters import REGEXP
from updater.settings import checks
from updater.settings.annotated import read_annotated_proposal
from updater.settings.decisions import KINDS, read_annotation
from updater.settings.delivery_annotations import DELIVERY_KEYS, read_delivery
from updater.settings.fields import nearest
from updater.settings.gate_annotations import GATE_KEYS, read_gate
from updater.settings.values import read_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.model.decision import Decision
    from updater.model.image import AliasedImage, Platform
    from updater.model.subscription import CredentialRef

#: the peer's names of strategies, old ones among them, and the policy that each means
STRATEGIES: Final = {
    "semver": "semver",
    "newest-build": "latest",
    "latest": "latest",
    "alphabetical": "name",
    "name": "name",
    "digest": "digest",
}
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_CREDENTIAL_PREFIX: Final = re.compile(r"(?!(?:env|file|ext|secret|pullsecret|cloud):)[^=]+=")
_SECRET_NAME: Final = re.compile(r"(?:([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)/)?([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)")
SHORTEST_INTERVAL: Final = 10.0
_NOT_IN_A_GLOB: Final = re.compile(r"[^A-Za-z0-9_.*?\[\]^\\-]")  # neither in a tag nor in the grammar of globs
_COMMA_HINT: Final = (
    "a comma separates two patterns, inside an expression too: write .?.?.? for .{0,3}, or list the expression under ignoreTags"
    " of an ImageUpdater"
)
_GLOB_HINT: Final = "write a glob such as *-debug, or regexp: and a regular expression; a comma separates two"
_SOURCE_FILE: Final = ".argocd-source"
_KUSTOMIZATIONS: Final = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBackMethod:
    """How results are written: ``git`` or ``argocd``; *secret* names the Secret for Git, its namespace "" where unsaid."""

    kind: str
    namespace: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBackPlace:
    """What a `write-back-target` names: ``source`` (``.argocd-source-…``), ``kustomization`` or ``helmvalues``; "" is none."""

    kind: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSpec:
    """What `git-branch` names: the branch to read, "" for that of the source, and the one to write, "" for the same."""

    base: str = ""
    push: str = ""


def read_text(value: Any) -> str:
    """Read a text without blanks around it."""
    if not isinstance(value, str):
        raise ConfigError("expected a text", hint="put the value in quotes", code="wrong-type")
    return value.strip()


def read_line(value: Any) -> str:
    """Read a text that names a place: one line of what people can see, or it reads otherwise where it is shown."""
    text = read_text(value)
    if not text.isprintable():
        raise ConfigError(f"{text!r} holds characters that cannot be seen", hint="write it again, on one line", code="wrong-type")
    return text


def read_boolean(value: Any) -> bool:
    """Read a boolean as Go's ParseBool does."""
    if isinstance(value, bool):
        return value
    text = read_text(value)
    if text not in _TRUE | _FALSE:
        raise ConfigError(f"{text!r} is neither true nor false", hint='write "true" or "false"', code="wrong-type")
    return text in _TRUE


def read_strategy(value: Any) -> str:
    """Read the name of a strategy, in any case; return the policy that it means."""
    name = read_text(value).lower()
    if name not in STRATEGIES:
        raise ConfigError(f"{value!r} is not an update strategy", hint=nearest(name, STRATEGIES), code="policy")
    return STRATEGIES[name]


def read_policy(kind: str, image: AliasedImage) -> PolicySpec:
    """Return the policy of *kind* for an image of the list, whose constraint is the range, or the tag that is followed."""
    if kind == "digest":
        if not image.constraint:
            message = f"{image.image} follows a digest and names no tag"
            raise ConfigError(message, hint=f"write {image.image}:latest", code="policy")
        spec = PolicySpec("digest", {"tag": image.constraint})
    elif kind == "semver" and image.constraint:
        spec = PolicySpec("semver", {"range": image.constraint})
    else:
        spec = PolicySpec(kind)
    checks.check_policy(spec)
    return spec


def read_allow_tags(value: Any) -> str | None:
    """Read ``any`` (None: every tag) or ``regexp:`` and an expression; the keywords count in any case."""
    text = read_text(value)
    keyword, colon, pattern = text.partition(":")
    if text.lower() in {"", "any"}:
        return None
    if keyword.lower() != "regexp" or not colon:
        raise ConfigError(f"{text!r} matches nothing", hint="write any, or regexp: and a regular expression", code="filter")
    checks.check_filter(allow=pattern)
    return pattern or None


def read_ignore_tags(value: Any) -> tuple[str, ...]:
    """Read globs, a comma between two, wherever it stands, as the peer does; empty ones are kept, and match no tag.

    What cannot match a tag is refused: the rest of an expression that was cut at its comma, or characters that no tag has.
    """
    globs = tuple(text.strip() for text in _texts(value))
    for glob in globs:
        if _is_cut(glob):
            raise ConfigError(f"'{glob}' is cut at a comma", hint=_COMMA_HINT, code="filter")
        checks.check_filter(ignore=glob)
        foreign = None if glob.startswith(REGEXP) else _NOT_IN_A_GLOB.search(glob)
        if foreign is not None:
            raise ConfigError(f"'{glob}' matches no tag: no tag contains {foreign[0]!r}", hint=_GLOB_HINT, code="filter")
    return globs


def _is_cut(text: str) -> bool:
    """Return whether an expression opens a repetition that it does not close; RE2 reads that as plain text."""
    plain = _outside_classes(text)
    return text.startswith(REGEXP) and plain.count("{") != plain.count("}")


def _outside_classes(text: str) -> str:
    """Return an expression without escapes and without what is between the brackets of its character classes."""
    kept: list[str] = []
    index = 0
    while index < len(text):
        if text[index] == "\\":
            index += 2
            continue
        if text[index] == "[":
            begin = index + 1 + text.startswith("^", index + 1)
            end = text.find("]", begin + 1)  # a bracket right at the beginning belongs to the class
            if end < 0:
                return "".join(kept) + text[index:]
            index = end
        else:
            kept.append(text[index])
        index += 1
    return "".join(kept)


def read_platforms(value: Any) -> tuple[Platform, ...]:
    """Read platforms, a comma between two."""
    return tuple(parse_platform(text.strip()) for text in _texts(value))


def read_pull_secret(value: Any) -> CredentialRef:
    """Read a reference to a credential, behind ``registry=`` or alone; an error never repeats it."""
    text = read_text(value)
    prefix = _CREDENTIAL_PREFIX.match(text)
    try:
        return parse_credential_ref(text[prefix.end() :] if prefix else text)
    except ConfigError as error:
        raise ConfigError("this is not a reference to a credential", hint=error.hint, code=error.code) from None


def read_method(value: Any) -> WriteBackMethod:
    """Read ``argocd``, ``git``, ``git:repocreds`` or ``git:secret:[namespace/]name``."""
    text = read_text(value)
    kind, _, credential = text.partition(":")
    if kind not in {"git", "argocd"} or (kind == "argocd" and text != kind) or text == "git:":
        raise ConfigError(
            f"{text!r} is not a write-back method", hint="write argocd, git or git:secret:<name>", code="write-back"
        )
    if credential in {"", "repocreds"}:
        return WriteBackMethod(kind=kind)
    word, _, name = credential.partition(":")
    found = _SECRET_NAME.fullmatch(name)
    if word != "secret" or not found:
        hint = "write git:repocreds, git:secret:<name> or git:secret:<namespace>/<name>"
        raise ConfigError(f"{credential!r} does not name the Git credentials", hint=hint, code="credential-ref")
    return WriteBackMethod(kind=kind, namespace=found[1] or "", secret=found[2])


def read_target(value: Any) -> WriteBackPlace:
    """Read ``kustomization[:path]``, ``helmvalues[:path]``, or the path of a file of values or of overrides."""
    text = read_line(value)
    kind, colon, path = text.partition(":")
    if kind in {"kustomization", "helmvalues"}:
        return WriteBackPlace(kind=kind, path=path if colon else "")
    name = text.rpartition("/")[2]
    if not text:
        return WriteBackPlace()
    if not colon and name not in _KUSTOMIZATIONS:
        if name.startswith(_SOURCE_FILE):
            return WriteBackPlace(kind="source", path=text)
        if name.endswith((".yaml", ".yml")):
            return WriteBackPlace(kind="helmvalues", path=text)
    hint = "write kustomization, kustomization:<folder> or helmvalues:<file>"
    raise ConfigError(f"{text!r} is not a write-back target", hint=hint, code="write-back")


def _with_hidden_colons(text: str) -> str:
    """Replace each colon inside ``{{ }}`` by a NUL."""
    pieces, position = [], 0
    while (start := text.find("{{", position)) >= 0 and (end := text.find("}}", start)) >= 0:
        pieces += [text[position:start], text[start:end].replace(":", "\0")]
        position = end
    return "".join((*pieces, text[position:]))


def read_branch(value: Any) -> BranchSpec:
    """Read ``base[:write]``; the second may be a template, and colons inside ``{{ }}`` are part of it."""
    text = read_line(value)
    parts = _with_hidden_colons(text).split(":")
    if len(parts) > 2:
        hint = "write <base>:<write>, with one colon"
        raise ConfigError(f"{text!r} names more than two branches", hint=hint, code="write-back")
    base, push = (part.replace("\0", ":").strip() for part in (*parts, "")[:2])
    if "{{" in base:
        hint = "write <base>:<template>; the branch to read is always a name"
        raise ConfigError(f"{base!r} is not a branch to read", hint=hint, code="write-back")
    if "{{" in push:
        checks.check_template(push)
    return BranchSpec(base="" if base == "HEAD" else base, push="" if push == base else push)


def read_variant(value: Any) -> Variant:
    """Read ``lock`` or ``any``."""
    return Variant(_choice(value, Variant))


def read_downgrade(value: Any) -> Downgrade:
    """Read ``never``, ``by-policy`` or ``always``."""
    return Downgrade(_choice(value, Downgrade))


def read_form(value: Any) -> Form:
    """Read ``tag``, ``digest`` or ``tag@digest``."""
    return Form(_choice(value, Form))


def read_decision(kind: str, value: Any, *, key: str = "", where: str = "") -> tuple[Decision, ...]:
    """Read what people decided about the subscription *key*: its hold, pin, rejections or readmitted commits."""
    return read_annotation(kind, read_text(value), key=key, where=where)


def read_gate_text(name: str, value: Any) -> Any:
    """Read one gate, as `updater.model.gates.GateRules` has it."""
    return read_gate(name, read_text(value))


def read_delivery_text(name: str, value: Any) -> Any:
    """Read one key of delivery, as `updater.model.release.DeliveryOptions` has it."""
    return read_delivery(name, read_text(value))


def read_interval(value: Any) -> float:
    """Read a duration; return seconds, not fewer than `SHORTEST_INTERVAL`: many may write an object, and all pay for its pace."""
    seconds = read_duration(read_text(value))
    if seconds < SHORTEST_INTERVAL:
        hint = f"write {SHORTEST_INTERVAL:.0f}s or more, or set the interval of all in the configuration"
        raise ConfigError(f"{seconds:g}s is too often for an object", hint=hint, code="duration")
    return seconds


def _choice(value: Any, words: type[Variant | Form | Downgrade]) -> str:
    text = read_text(value)
    known = [word.value for word in words]
    if text not in known:
        raise ConfigError(f"{text!r} is not one of {', '.join(known)}", hint=nearest(text, known), code="wrong-type")
    return text


def _texts(value: Any) -> list[str]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return list(value)
    return read_text(value).split(",")


#: how the value of every key is read, by the key as annotations spell it
READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "update-strategy": read_strategy,
    "force-update": read_boolean,
    "allow-tags": read_allow_tags,
    "tag-match": read_allow_tags,
    "ignore-tags": read_ignore_tags,
    "platforms": read_platforms,
    "pull-secret": read_pull_secret,
    "helm.image-name": read_line,
    "helm.image-tag": read_line,
    "helm.image-spec": read_line,
    "kustomize.image-name": read_line,
    "write-back-method": read_method,
    "write-back-target": read_target,
    "git-branch": read_branch,
    "git-repository": read_line,
    "allow-downgrade": read_boolean,
    "downgrade": read_downgrade,
    "variant": read_variant,
    "form": read_form,
    "interval": read_interval,
    "proposal": read_annotated_proposal,
    **{kind: partial(read_decision, kind) for kind in KINDS},
    **{name: partial(read_gate_text, name) for name in GATE_KEYS},
    **{name: partial(read_delivery_text, name) for name in DELIVERY_KEYS},
}
