"""Parse a Go format string: flags, ``*``, explicit argument indexes, and its error texts.

Source: https://pkg.go.dev/fmt, "Explicit argument indexes", "Format errors".
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.templates.limits import check_text
from updater.templates.printing import Spec, leaves, render
from updater.templates.values import is_number, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS: Final = {"+": "has_plus", "-": "has_minus", "#": "has_sharp", " ": "has_space", "0": "has_zero"}
_INDEX: Final = re.compile(r"\[([^\]]*)\]")
_DIGITS: Final = re.compile(r"[0-9]+")
_WIDEST: Final = 1_000_000


def sprintf(form: str, values: Sequence[object]) -> str:
    """Fill *form* with *values* as Go's `Sprintf`; what is wrong is said in the text, never raised.

    Raises `TemplateError` only for a text beyond the limits.
    """
    return _Format(form, values).fill()


class _Format:
    """One run over a format: where it stands in the text and among the arguments."""

    def __init__(self, form: str, values: Sequence[object]) -> None:
        self._form = form
        self._values = values
        self._at = 0
        self._next = 0
        self._is_reordered = False
        self._has_good_index = True
        self._made: list[str] = []
        self._length = 0

    def fill(self) -> str:
        form = self._form
        while (start := form.find("%", self._at)) >= 0:
            self._add(form[self._at : start])
            self._at = start + 1
            self._add(self._verb())
        self._add(form[self._at :])
        if not self._is_reordered and self._next < len(self._values):
            extra = ", ".join(_described(value) for value in self._values[self._next :])
            self._add(f"%!(EXTRA {extra})")
        return "".join(self._made)

    def _add(self, piece: str) -> None:
        self._length += len(piece)
        check_text(self._length)
        self._made.append(piece)

    def _verb(self) -> str:
        self._has_good_index = True
        spec = self._flags()
        has_index = self._index()
        spec, complaint, has_index = self._width(spec, has_index=has_index)
        if self._form[self._at : self._at + 1] == ".":
            self._at += 1
            if has_index:
                self._has_good_index = False
            has_index = self._index()
            spec, more, has_index = self._precision(spec, has_index=has_index)
            complaint += more
        if not has_index:
            self._index()
        if self._at >= len(self._form):
            return complaint + "%!(NOVERB)"
        verb = self._form[self._at]
        self._at += 1
        return complaint + self._value(replace(spec, verb=verb))

    def _value(self, spec: Spec) -> str:
        if spec.verb == "%":
            return "%"
        if not self._has_good_index:
            return f"%!{spec.verb}(BADINDEX)"
        if self._next >= len(self._values):
            return f"%!{spec.verb}(MISSING)"
        value = self._values[self._next]
        self._next += 1
        check_text(leaves(value) * max(spec.width or 0, spec.precision or 0))
        return render(value, spec)

    def _flags(self) -> Spec:
        flags: dict[str, bool] = {}
        while (char := self._form[self._at : self._at + 1]) in _FLAGS:
            flags[_FLAGS[char]] = True
            self._at += 1
        return Spec(**flags)  # type: ignore[arg-type] # the flags are the bool fields of Spec, and only those

    def _index(self) -> bool:
        """Follow an explicit argument index, and return whether there was one."""
        if self._form[self._at : self._at + 1] != "[":
            return False
        self._is_reordered = True
        found = _INDEX.match(self._form, self._at)
        if found is None:
            self._has_good_index = False
            self._at += 1
            return False
        self._at = found.end()
        digits = found[1]
        if _DIGITS.fullmatch(digits) and len(digits) < 8 and 1 <= int(digits) <= len(self._values):
            self._next = int(digits) - 1
            return True
        self._has_good_index = False
        return True

    def _width(self, spec: Spec, *, has_index: bool) -> tuple[Spec, str, bool]:
        if self._form[self._at : self._at + 1] == "*":
            self._at += 1
            number = self._number_argument()
            if number is None:
                return spec, "%!(BADWIDTH)", False
            return replace(spec, width=abs(number), has_minus=spec.has_minus or number < 0), "", False
        number = self._digits()
        if number is not None and has_index:
            self._has_good_index = False
        return replace(spec, width=number), "", has_index

    def _precision(self, spec: Spec, *, has_index: bool) -> tuple[Spec, str, bool]:
        if self._form[self._at : self._at + 1] == "*":
            self._at += 1
            number = self._number_argument()
            if number is None:
                return spec, "%!(BADPREC)", False
            return replace(spec, precision=number if number >= 0 else None), "", False
        return replace(spec, precision=self._digits() or 0), "", has_index

    def _digits(self) -> int | None:
        found = _DIGITS.match(self._form, self._at)
        if found is None:
            return None
        self._at = found.end()
        digits = found[0]
        return int(digits) if len(digits) < 8 and int(digits) <= _WIDEST else None

    def _number_argument(self) -> int | None:
        if self._next >= len(self._values):
            return None
        value = self._values[self._next]
        self._next += 1
        is_fit = is_number(value) and isinstance(value, int) and abs(value) <= _WIDEST
        return int(value) if is_fit else None  # type: ignore[call-overload] # is_fit says that it is an int


def _described(value: object) -> str:
    return "<nil>" if value is None else f"{type_name(value)}={render(value, Spec())}"
