"""Which files concern this program, and everything that is wrong in them.

The kind of a file is seen by its content: a configuration, annotated Applications, Flux objects, markers. What
is none of them is nobody's business here, and is passed over. What only kustomize, Helm, a substitution or a cluster decides is
no flaw: it is not known here, and said apart.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.request.preview import Preview
from updater.argocd.request.subscriptions import UNKNOWN_TYPE, TranslationDefaults
from updater.documents import Dialect, Documents, read_bytes, read_yaml
from updater.editors import make_editor
from updater.errors import ConfigError, TemplateError
from updater.flux.request.objects import GROUP, check_object, flux_objects, is_flux, policy_name
from updater.model.problem import Problem
from updater.settings import build_settings
from updater.settings.overlay import is_said
from updater.settings.problems import in_order
from updater.settings.registries_conf import is_registries_conf
from updater.sources.file import missing_author, problems_of, refusals, to_snapshot
from updater.validation.annotations import OWN_PREFIX, PREFIX, check_annotations, has_annotations, misplaced_annotations
from updater.validation.certainty import NOT_KNOWN, Certainty, is_chart_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from updater.argocd.request import ImageTranslation
    from updater.documents import Document
    from updater.model.view import Reading
    from updater.settings import Settings
    from updater.validation.kustomizations import Kustomizations

_AUTHOR: Final = frozenset({"name", "email"})
_YAML_NAMES: Final = ("*.yaml", "*.yml", "Kustomization", "registries.conf")
_OWN_NAMES: Final = ("updater.yaml", "updater.yml", "updater.*.yaml", "updater-*.yaml")
_OWN_KEYS: Final = frozenset({"subscriptions", "text_markers", "registries_conf", "docker_config"})
_TEXTS: Final = ("*.md", "*.markdown", "*.rst", "*.adoc", "*.txt", "*.html")  # they speak of markers
_DEPLOYED: Final = "kustomize.toolkit.fluxcd.io"
_SHOWN_POLICIES: Final = 5
_NEEDLES: Final = (PREFIX.encode(), OWN_PREFIX.encode(), GROUP.encode())
_APPLICATIONS: Final = b"argoproj.io/v1alpha1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """What was found: every problem by file and line, how many files were looked at, what becomes of each image.

    *remarks* are worth a look and no problems. *objects* counts those that were read from a cluster. *unknown* is what could
    be a problem and is not known here.
    *answers* are of the images that Applications and ImageUpdaters list, in the order in which they were found. *markers* are the
    places in files that a marker of a known policy names. *targets* counts those of configurations, which were not compared with
    a repository. *unrecognized* are the files that the caller named and that concern nothing of this program.
    """

    problems: tuple[Problem, ...]
    files: int
    answers: tuple[ImageTranslation, ...] = ()
    objects: int = 0
    remarks: tuple[Problem, ...] = ()
    unknown: tuple[Problem, ...] = ()
    markers: tuple[Reading, ...] = ()
    targets: int = 0
    unrecognized: tuple[Path, ...] = ()


@dataclass(slots=True)
class _Findings:
    try_template: Callable[[str], None] | None = None
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    certain: list[Problem] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)
    deployed: list[Any] = field(default_factory=list)
    has_unnamed: bool = False  # a policy whose name a template or a substitution makes
    policies: set[str] = field(default_factory=set)
    markers: list[Reading] = field(default_factory=list)
    targets: int = 0
    authorless: list[Problem] = field(default_factory=list)
    author: set[str] = field(default_factory=set)
    passed_over: list[Path] = field(default_factory=list)
    text_markers: set[str] = field(default_factory=set)
    preview: Preview = field(default_factory=Preview)


def lint(
    paths: Sequence[Path],
    *,
    configurations: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    try_template: Callable[[str], None] | None = None,
    policies: Iterable[str] = (),
) -> ValidationReport:
    """Check files, and folders with everything below them; `.git` is not entered and symlinks are not followed.

    *configurations* are checked too, whatever they hold, and their marker targets and text_markers count. *try_template*
    renders a template of a commit message, and raises `TemplateError` where that fails. *policies* are names that markers may
    have besides, of a cluster. Raise `ConfigError` where a path does not exist.
    """
    named = {path for path in paths if not path.is_dir()}
    files = tuple(dict.fromkeys(file for path in (*configurations, *paths) for file in _walk(path)))
    findings = _Findings(try_template=try_template, policies=set(policies))
    looked_at = 0
    for file in files:
        if file in configurations:
            looked_at += 1
            _lint_configuration(file, read_bytes(file), findings, environ or {}, is_named=True)
        elif file in named or _has_name(file, _YAML_NAMES):
            looked_at += 1
            _lint_documents(file, findings, environ or {}, is_named=file in named)
    certainty = Certainty(files, read_bytes)
    for value in findings.deployed:
        certainty.kustomizations.add_deployed(value)
    _learn_names(findings, certainty.kustomizations)
    _lint_markers(files, findings)
    problems, answers = findings.preview.result()
    if findings.author != _AUTHOR:  # else one file of a configuration may hold it for the others
        findings.certain += findings.authorless
    wrong, unknown = certainty.split([*findings.problems, *problems])
    return ValidationReport(
        problems=in_order([*findings.certain, *wrong]),
        files=looked_at,
        answers=tuple(_settled(answer, wrong, unknown) for answer in answers),
        remarks=tuple(dict.fromkeys(findings.remarks)),
        unknown=in_order([*findings.unknown, *unknown]),
        markers=tuple(findings.markers),
        targets=findings.targets,
        unrecognized=tuple(findings.passed_over),
    )


def _settled(answer: ImageTranslation, wrong: Sequence[Problem], unknown: Sequence[Problem]) -> ImageTranslation:
    """Mark an answer as not known here where its flaw is not: the type of a manifest, or what completes the file, decides."""
    is_untyped = answer.code == UNKNOWN_TYPE and all(problem.origin != answer.asked_by for problem in wrong)
    is_open = any(problem.message == answer.sentence and problem.origin == answer.asked_by for problem in unknown)
    return replace(answer, code=NOT_KNOWN) if is_untyped or is_open else answer


def _learn_names(findings: _Findings, kustomizations: Kustomizations) -> None:
    """Add the names that kustomizations give to policies."""
    named = {name.partition(":")[::2] for name in findings.policies}
    affixes = {("", ""), *kustomizations.affixes}
    for namespace, name in named:
        for prefix, suffix in affixes:
            findings.policies |= {f"{space}:{prefix}{name}{suffix}" for space in (namespace, *kustomizations.namespaces)}


def _walk(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file or folder", hint="check the spelling", path=str(path))
        yield path
        return
    for folder, folders, names in os.walk(path, followlinks=False):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                yield file


def _lint_documents(file: Path, findings: _Findings, environ: Mapping[str, str], *, is_named: bool) -> None:
    """Check the documents of one file, whatever kinds they are."""
    try:
        data = read_bytes(file)
    except ConfigError as error:
        findings.problems.append(Problem(path=str(file), code="unreadable", message=error.message, hint=error.hint))
        return
    is_foreign = any(needle in data for needle in _NEEDLES)
    is_patching = _DEPLOYED.encode() in data and b"patches" in data
    is_concerned = is_foreign or is_named or is_patching or _APPLICATIONS in data
    if not is_concerned and not _may_be_configuration(file, data):
        return
    found = read_yaml(str(file), data, dialect=Dialect.MANIFEST)
    if _is_configuration(file, found):
        _lint_configuration(file, data, findings, environ)
        return
    before = len(findings.problems)
    is_known = [_lint_objects(document, findings, is_patching=is_patching) for document in found.documents]
    is_template = b"{{" in data and (bool(found.problems) or is_chart_template(file))
    findings.has_unnamed |= b"ImagePolicy" in data and is_template
    if is_foreign or (is_named and _has_name(file, _YAML_NAMES)):
        findings.problems[before:before] = found.problems
    if is_named and not (is_foreign or any(is_known) or len(findings.problems) > before):
        findings.passed_over.append(file)


def _lint_objects(document: Document, findings: _Findings, *, is_patching: bool) -> bool:
    """Check the objects of one document; return whether there was one that is known here."""
    for item in flux_objects(document):
        findings.problems += check_object(item, findings.try_template)
        name = policy_name(item.value) or ""
        findings.policies |= {name} - {""}
        findings.has_unnamed |= "${" in name or "{{" in name
    if is_flux(document.value):
        return True
    if is_patching and _is_deployed(document.value):
        findings.deployed.append(document.value)
        return True
    if findings.preview.add(document):
        findings.problems += misplaced_annotations(document)
        return True
    is_annotated = has_annotations(document.value)
    findings.problems += check_annotations(document) if is_annotated else misplaced_annotations(document)
    return is_annotated


def _lint_configuration(
    file: Path, data: bytes, findings: _Findings, environ: Mapping[str, str], *, is_named: bool = False
) -> None:
    try:
        settings = build_settings([(str(file), data)], environ)
    except ConfigError as error:
        findings.certain += problems_of(error)
        return
    wanted = settings.applications
    if is_named and wanted is not None:  # by it objects of the same check are judged
        findings.preview.defaults = TranslationDefaults(
            namespace=wanted.argocd_namespace,
            annotated=wanted.annotations,
            credentials=wanted.credentials,
            git_credentials_for=wanted.git_credentials_for,
            proposal=settings.git.proposal,
        )
    snapshot = to_snapshot(settings)
    findings.certain += [*snapshot.problems, *refusals(settings, snapshot.subscriptions)]
    findings.remarks += settings.remarks
    if settings.applications is None:  # else the cluster may know the author
        findings.authorless += missing_author(settings, snapshot.subscriptions)
    findings.author |= {part for part in _AUTHOR if is_said(settings, ("git", "author", part))}
    findings.certain += _template_problems(str(file), settings.git.message, findings.try_template)
    findings.certain += _route_problems(str(file), settings)
    findings.text_markers |= set(settings.text_markers)
    findings.targets += sum(len(item.targets) for item in settings.subscriptions)
    findings.policies |= {target.marker for item in settings.subscriptions for target in item.targets if target.marker}


def _is_deployed(value: Any) -> bool:
    """Return whether a document is a Kustomization of Flux, which deploys a folder."""
    return isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(f"{_DEPLOYED}/")


def _template_problems(path: str, message: str | None, try_template: Callable[[str], None] | None) -> Iterator[Problem]:
    """Try the message of commits: a field that is not there would be met only at the first commit."""
    try:
        if message is not None and try_template is not None:
            try_template(message)
    except TemplateError as error:
        yield Problem(path=path, code=error.code, message=f"git.message: {error.message}", hint=error.hint)


def _route_problems(path: str, settings: Settings) -> Iterator[Problem]:
    """Try the templates of notifications as well."""
    for index, route in enumerate(settings.notifications):
        if route.template is not None:
            from updater.reporting.notifications.templating import try_template  # noqa: PLC0415 - most files have none

            try:
                try_template(route.template)
            except TemplateError as error:
                message = f"notifications[{index}].template: {error.message}"
                yield Problem(path=path, code=error.code, message=message, hint=error.hint)


def _may_be_configuration(file: Path, data: bytes) -> bool:
    return _has_name(file, _OWN_NAMES) or any(key.encode() in data for key in (*_OWN_KEYS, "registries"))


def _is_configuration(file: Path, found: Documents) -> bool:
    value = found.documents[0].value if found.documents else None
    if not isinstance(value, dict):
        return _has_name(file, _OWN_NAMES) and not (value is None and not found.problems)
    if "apiVersion" in value or "kind" in value:
        return False
    has_entries = any("prefix" in entry for entry in value.get("registries") or () if isinstance(entry, dict))
    return bool(_OWN_KEYS & value.keys()) or has_entries or is_registries_conf(value) or _has_name(file, _OWN_NAMES)


def _has_name(file: Path, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(file.name, glob) for glob in globs)


def _lint_markers(files: Sequence[Path], findings: _Findings) -> None:
    """Check every marker, now that all policies are known."""
    editor = make_editor("marker", text_markers=tuple(sorted(findings.text_markers)))
    for file in files:
        is_covered = editor.wants(file.as_posix())
        if not is_covered and _has_name(file, _TEXTS):
            continue
        try:
            data = read_bytes(file)
        except ConfigError:
            continue  # said when its documents were read
        if not any(needle in data for needle in editor.needles):
            continue
        if file in findings.passed_over:
            findings.passed_over.remove(file)
        if not is_covered:
            findings.problems += _uncovered(file, data, findings.policies)
            continue
        found = editor.read(str(file), data)
        known = {(problem.path, problem.line) for problem in findings.problems}
        findings.problems += [problem for problem in found.problems if (problem.path, problem.line) not in known]
        for reading in found.readings:
            if _is_known(reading.setter, findings.policies):
                findings.markers.append(reading)
            else:
                message = f"the marker names {reading.setter}, and there is no such policy"
                hint = _marker_hint(reading.setter, findings.policies)
                where = findings.unknown if findings.has_unnamed else findings.problems
                where.append(Problem(path=str(file), line=reading.line, code="marker-policy", message=message, hint=hint))


def _uncovered(file: Path, data: bytes, policies: set[str]) -> Iterator[Problem]:
    """Return that a marker of a known policy stands where no marker counts."""
    found = make_editor("marker", text_markers=(file.name,)).read(file.name, data)
    for reading in found.readings:
        if _is_known(reading.setter, policies):
            message = f"a marker of {reading.setter} is in a file that is not YAML, and no text_markers covers it"
            hint = f"write text_markers: [{file.name!r}] into the configuration, or name that by -c"
            yield Problem(path=str(file), line=reading.line, code="marker-file", message=message, hint=hint)


def _is_known(setter: str, policies: set[str]) -> bool:
    # an ImagePolicy without namespace gets one when it is applied, and may be any
    return setter in policies or f":{setter.partition(':')[2]}" in policies


def _marker_hint(setter: str, policies: set[str]) -> str:
    if not policies:
        return "name the file or folder of its ImagePolicy too, or the configuration by -c"
    known = sorted(policy.removeprefix(":") for policy in policies)
    near = get_close_matches(setter, known, n=1) or get_close_matches(setter.partition(":")[2], known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(known[:_SHOWN_POLICIES])
    return f"known are {shown}" + (f" and {len(known) - _SHOWN_POLICIES} more" if len(known) > _SHOWN_POLICIES else "")
