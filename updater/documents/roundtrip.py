"""Write configuration as YAML with comments; the only module that imports ruamel.yaml.

It is imported by commands that write such a file, never by the daemon: the import alone takes half a second.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WIDTH: Final = 120
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/@:-]*[A-Za-z0-9]|[A-Za-z]|[0-9]+[smhd]")


@dataclass(frozen=True, slots=True)
class Commented:
    """A mapping to write. *comments* are lines above a key, *beside* is a comment after its value.

    With *is_flow* it is written on one line, ``{a: 1}``.
    """

    values: Mapping[str, Any]
    comments: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    is_flow: bool = False


def dump(document: Commented, *, head: str = "") -> str:
    """Return *document* as YAML text; *head* is a comment above everything. Values may be `Commented`, lists and scalars."""
    writer = YAML()
    writer.width = _WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    made = _mapping(document, indent=0)
    out = io.StringIO()
    writer.dump(made, out)
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    beside = tuple(f"# {text}" for text in _beside(document))
    lines = [_spaced(line, beside) for line in out.getvalue().rstrip().split("\n")]
    text = "\n".join(lines) + "\n"  # a comment behind the last value leaves no line end
    return f"{comment}\n{text}" if comment else text


def with_entry(text: str, key: str, entry: Mapping[str, Any]) -> str:
    """Return the mapping *text* with *entry* at *key*, taken out where it is empty; comments, order and quotes stay.

    Of an entry that is there only the values that differ are written. Raise `ValueError` where *text* is no mapping.
    """
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    try:
        found = writer.load(text)
    except YAMLError as error:
        raise ValueError(str(error)) from error
    document = CommentedMap() if found is None else found
    if not isinstance(document, CommentedMap):
        raise ValueError("this is no mapping")  # noqa: TRY004 - of a text, not of an argument
    if not entry:
        document.pop(key, None)
    else:
        document[_value(key, indent=0)] = _merged(document.get(key), entry)
    out = io.StringIO()
    if document or _has_comment(text):
        writer.dump(document, out)
    made = out.getvalue()
    lost = text if found is None and _has_comment(text) else ""  # a file of comments alone
    return f"{lost.rstrip()}\n{made}" if lost and document else made or "{}\n"


def _has_comment(text: str) -> bool:
    return any(line.lstrip().startswith("#") for line in text.splitlines())


def _merged(old: Any, new: Any) -> Any:
    """Return *new*, with what is the same in *old* as it stands there."""
    if isinstance(old, CommentedMap) and isinstance(new, dict):
        for name in [name for name in old if name not in new]:
            del old[name]
        for name, value in new.items():
            if old.get(name) != value:
                old[name] = _merged(old.get(name), value)
        return old
    if isinstance(old, CommentedSeq) and isinstance(new, list) and new[: len(old)] == list(old):
        old.extend(_merged(None, item) for item in new[len(old) :])
        return old
    if isinstance(new, dict):
        return _mapping(Commented(values={name: _merged(None, value) for name, value in new.items()}), indent=2)
    if isinstance(new, list):
        return CommentedSeq(_merged(None, item) for item in new)
    return _value(new, indent=2)


def _beside(value: Any) -> Iterator[str]:
    """Yield every comment that follows a value."""
    if isinstance(value, Commented):
        yield from value.beside.values()
        value = list(value.values.values())
    for item in value if isinstance(value, list | tuple) else ():
        yield from _beside(item)


def _spaced(line: str, beside: tuple[str, ...]) -> str:
    """Put two blanks before a comment: the writer puts one or two, by the style of the value."""
    comment = next((text for text in beside if line.endswith(f" {text}")), None)
    return f"{line.removesuffix(comment).rstrip()}  {comment}" if comment else line


def _mapping(source: Commented, *, indent: int) -> CommentedMap:
    made = CommentedMap()
    for key, value in source.values.items():
        made[key] = _value(value, indent=indent + 2)
    for key, text in source.beside.items():
        made.yaml_add_eol_comment(text, key)
    for key, text in source.comments.items():
        made.yaml_set_comment_before_after_key(key, before=text, indent=indent)
    if source.is_flow:
        made.fa.set_flow_style()
    return made


def _value(value: Any, *, indent: int) -> Any:
    if isinstance(value, Commented):
        return _mapping(value, indent=indent)
    if isinstance(value, list | tuple):
        return _sequence(value, indent=indent)
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return DoubleQuotedScalarString(value)
    return value


def _sequence(values: Sequence[Any], *, indent: int) -> CommentedSeq:
    made = CommentedSeq(_value(value, indent=indent + 2) for value in values)
    if not values:
        made.fa.set_flow_style()
    return made
