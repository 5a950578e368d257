"""Pydantic types for the texts of `updater.settings.values`, each with its JSON Schema.

A wrong value ends in a `PydanticCustomError` of type ``setting``, whose context lists the problems as
``(place below the field, code, message, hint)``; `updater.settings.problems` turns them into `Problem`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError, core_schema

from updater.errors import UpdaterError
from updater.model.gates import ChangeRate
from updater.model.image import ImageName, Platform, is_tag, parse_name, parse_platform
from updater.model.release import Workload as ReleasedWorkload
from updater.model.subscription import CredentialRef, Downgrade, LiveApplication, PolicySpec
from updater.settings import checks, values
from updater.settings.values import ListenAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

#: the code of what is known by its name and done by no part of this version
NOT_YET: Final = "not-yet"

Flaw = tuple[tuple[str | int, ...], str, str, str]

_ORDER: Final = {"order": {"enum": ["asc", "desc"], "description": "asc chooses the last tag of the order, desc the first."}}
_RANGE: Final = {
    "range": {"type": "string", "description": "The versions that may be chosen, such as '>=1.0.0' or '^1.2'."},
    "prerelease": {"type": "boolean", "description": "Whether versions such as 1.2.3-rc.1 may be chosen."},
}
# what each policy may be told; the rules themselves live in updater.policies
POLICY_OPTIONS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "semver": _RANGE,
    "latest": {},
    "name": _ORDER,
    "number": _ORDER,
    "digest": {"tag": {"type": "string", "description": "The tag whose digest is followed."}},
    "pep440": _RANGE,
}
_POLICY_MEANINGS: Final = {
    "semver": "The highest version in a range.",
    "latest": "The newest by push time or first-seen time, otherwise by build time.",
    "name": "The last in text order.",
    "number": "The highest number.",
    "digest": "One tag, whose digest is followed.",
    "pep440": "The highest version by Python's rules.",
}
_FIRST_SUSPECT: Final = {"semver": "range", "pep440": "range", "digest": "tag", "name": "order", "number": "order"}


def flawed(*flaws: Flaw) -> PydanticCustomError:
    """Make the one error in which a field says everything that is wrong with it."""
    return PydanticCustomError("setting", "{problem}", {"problem": flaws[0][2] if flaws else "", "flaws": list(flaws)})


def flaw_of(error: UpdaterError, *below: str | int) -> Flaw:
    """Return an expected error as a flaw at the place *below* a field."""
    return below, error.code, error.message, error.hint


def _text(function: Callable[[str], Any], example: str) -> Callable[[object], Any]:
    """Let *function* read a text; everything else is refused with *example* as the hint."""

    def read(value: object) -> Any:
        if not isinstance(value, str):
            shown = "null" if value is None else type(value).__name__
            raise flawed(
                (
                    (),
                    "wrong-type",
                    f"expected text, got {NAMES.get(shown, shown)}",
                    f"write it like {example}" if example else "put it in quotes",
                )
            )
        try:
            return function(value)
        except UpdaterError as error:
            raise flawed(flaw_of(error)) from None

    return read


NAMES: Final = {
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a map",
    "str": "text",
    "null": "nothing",
}


class _Read:
    """The annotation by which a field is read by one function, whatever its type is made of."""

    def __init__(self, function: Callable[[object], Any], json_schema: Mapping[str, Any]) -> None:
        self.function = function
        self.json_schema = dict(json_schema)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.function)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.json_schema)


def read_by(function: Callable[[object], Any], **json_schema: Any) -> _Read:
    """Let *function* read a field: it takes what the file holds, and raises what `flawed` makes."""
    return _Read(function, json_schema)


def _typed(function: Callable[[str], Any], example: str, **json_schema: Any) -> _Read:
    return _Read(_text(function, example), {"type": "string", **({"examples": [example]} if example else {}), **json_schema})


def _policy(value: object) -> PolicySpec:
    if not isinstance(value, dict) or len(value) != 1:
        shown = f"{{{value}: {{}}}}" if isinstance(value, str) and value in POLICY_OPTIONS else '{semver: {range: ">=1.0.0"}}'
        raise flawed(((), "policy", "a policy is one name and its options", f"write policy: {shown}"))
    ((kind, options),) = value.items()
    options = {} if options is None else options
    if not isinstance(options, dict):
        raise flawed(((kind,), "policy", f"the options of {kind} are a map", f"write {kind}: {{}}, or its options in the braces"))
    flaws = _option_flaws(kind, options)
    options = {name: option for name, option in options.items() if option is not None}
    wrong = {below[1] for below, *_ in flaws if len(below) > 1}
    flaws += _build_flaws(PolicySpec(kind, {name: value for name, value in options.items() if name not in wrong}))
    if flaws:
        raise flawed(*flaws)
    return PolicySpec(kind, options)


def _option_flaws(kind: str, options: Mapping[str, object]) -> list[Flaw]:
    """Return which options of a policy of our own have an unknown name or a wrong type."""
    known = POLICY_OPTIONS.get(kind)
    flaws: list[Flaw] = []
    for name, value in options.items() if known is not None else ():
        rule = (known or {}).get(name)
        if rule is None:
            flaws.append(((kind, name), "unknown-key", f"{kind} has no option {name!r}", nearest(name, known or {})))
        elif value is not None and not _fits(value, rule):
            wanted = (
                f"one of {', '.join(rule['enum'])}"
                if "enum" in rule
                else {"string": "text", "boolean": "true or false"}[rule["type"]]
            )
            flaws.append(
                (
                    (kind, name),
                    "wrong-type",
                    f"expected {wanted}",
                    "put a number in quotes" if rule.get("type") == "string" else "",
                )
            )
    return flaws


def _fits(value: object, rule: Mapping[str, Any]) -> bool:
    if "enum" in rule:
        return value in rule["enum"]
    return isinstance(value, bool if rule["type"] == "boolean" else str)


def _build_flaws(spec: PolicySpec) -> list[Flaw]:
    try:
        checks.check_policy(spec)
    except UpdaterError as error:
        suspect = _FIRST_SUSPECT.get(spec.kind)
        below = (spec.kind, suspect) if suspect and suspect in spec.options else (spec.kind,)
        return [flaw_of(error, *below)]
    return []


def nearest(name: str, known: Mapping[str, object] | tuple[str, ...] | list[str]) -> str:
    """Return the hint for a name that is not known: the nearest one, or all of them."""
    import difflib  # noqa: PLC0415 - wanted only where something is wrong

    near = difflib.get_close_matches(name, list(known), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(known)}" if known else "it takes none"


def _allow(text: str) -> str:
    checks.check_filter(allow=text)
    return text


def _ignore(text: str) -> str:
    checks.check_filter(ignore=text)
    return text


def _template(text: str) -> str:
    checks.check_template(text)
    return text


def _branch_template(text: str) -> str:
    checks.check_branch_template(text)
    return text


def _schedule(text: str) -> str:
    checks.check_schedule(text)
    return text


def _zone(text: str) -> str:
    checks.check_zone(text)
    return text


def _branch(text: str) -> str:
    is_wrong = not text or text.startswith(("-", "/", ".")) or text.endswith(("/", ".", ".lock"))
    if is_wrong or ".." in text or "@{" in text or "//" in text or any(char in " ~^:?*[\\" or ord(char) < 33 for char in text):
        raise UpdaterError(f"{text!r} is not a branch name", hint="write the branch without refs/heads/", code="branch")
    return text.removeprefix("refs/heads/")


def _tag(text: str) -> str:
    if not is_tag(text):
        raise UpdaterError(f"{text!r} is not a tag", hint="letters, digits, '_', '.' and '-', at most 128", code="tag")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise UpdaterError("this is empty", hint="write a value, or leave the key out", code="empty")
    return text


def _nothing_is_empty(value: object) -> object:
    """Read ``flux:`` with nothing behind it as ``flux: {}``."""
    return {} if value is None else value


Text = Annotated[str, _typed(_filled, "")]
Holds = Annotated[str, _typed(values.read_holds_place, "")]
Names = Annotated[str, _typed(values.read_names, "team-*")]
Duration = Annotated[float, _typed(values.read_duration, "2m", pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$")]
Size = Annotated[int, _typed(values.read_size, "64MiB", pattern=r"^[0-9]+(\.[0-9]+)?(KiB|MiB|GiB)$")]
Rate = Annotated[float, _typed(values.read_rate, "50/s", pattern=r"^[0-9]+(\.[0-9]+)?/(s|m|h)$")]
Changes = Annotated[ChangeRate, _typed(values.read_changes, "4/h", pattern=r"^[1-9][0-9]{0,5}/(m|h|d)$")]
CronFields = Annotated[str, _typed(_schedule, "0 9 * * 1-5")]
TimeZone = Annotated[str, _typed(_zone, "Europe/Berlin")]
Listen = Annotated[ListenAddress, _typed(values.read_address, "0.0.0.0:8080")]
Credentials = Annotated[
    CredentialRef, _typed(values.read_credential, "env:VARIABLE", pattern="^(env|file|ext|secret|pullsecret):")
]
Image = Annotated[ImageName, _typed(parse_name, "ghcr.io/myorg/myapp")]
Platforms = Annotated[Platform, _typed(parse_platform, "linux/amd64")]
GitUrl = Annotated[str, _typed(values.read_git_url, "https://git.example.org/fleet.git")]
GitPrefix = Annotated[str, _typed(values.read_prefix, "https://git.example.org/")]
Branch = Annotated[str, _typed(_branch, "main")]
EventsAddress = Annotated[str, _typed(values.read_events_address, "http://notification-controller.flux-system.svc/")]
Proxy = Annotated[str, _typed(values.read_proxy, "http://proxy.example.org:3128")]
RegistryUrl = Annotated[str, _typed(values.check_registry_url, "https://registry.example.org")]
ForgeApi = Annotated[str, _typed(values.check_forge_api, "https://git.example.org/api/v1")]
RepositoryPath = Annotated[str, _typed(values.read_repository_path, "apps/prod")]
Marker = Annotated[str, _typed(values.read_marker, "flux-system:myapp")]
Application = Annotated[LiveApplication, _typed(values.read_application, "argocd/myapp")]
Workload = Annotated[ReleasedWorkload, _typed(values.read_workload, "Deployment/shop/web")]
Glob = Annotated[str, _typed(values.read_glob, "*.env")]
Allow = Annotated[str, _typed(_allow, "^v?[0-9]")]
Ignore = Annotated[str, _typed(_ignore, "*-debug")]
Template = Annotated[str, _typed(_template, "Update images")]
BranchTemplate = Annotated[str, _typed(_branch_template, "bump/{{ .Base }}/{{ .Key }}")]
GroupName = Annotated[str, _typed(values.read_group, "shop")]
Label = Annotated[str, _typed(values.read_label, "image-update")]
Account = Annotated[str, _typed(values.read_account, "octocat")]
PushOption = Annotated[str, _typed(values.read_push_option, "ci.skip")]
Policy = Annotated[
    PolicySpec,
    read_by(
        _policy,
        type="object",
        minProperties=1,
        maxProperties=1,
        properties={
            kind: {
                "description": _POLICY_MEANINGS[kind],
                "type": ["object", "null"],
                "properties": dict(options),
                "additionalProperties": False,
            }
            for kind, options in POLICY_OPTIONS.items()
        },
    ),
]


def _at_least_one(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise flawed(((), "empty", "expected at least one entry", "nothing would be written without one"))
    return value


NOT_EMPTY: Final = AfterValidator(_at_least_one)


def _downgrade(value: object) -> object:
    """Read true and false as `allow_downgrade` had them."""
    return Downgrade.of_flag(is_allowed=value) if isinstance(value, bool) else value


DOWNGRADE: Final = BeforeValidator(_downgrade)
EMPTY_WHERE_NULL: Final = BeforeValidator(_nothing_is_empty)
