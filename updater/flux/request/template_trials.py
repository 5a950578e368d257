"""What became of each message template that was tried, so that an object that changes elsewhere does not try its own again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from updater.errors import UpdaterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_REMEMBERED: Final = 4096


class TemplateTrials:
    """Calls *try_template* once for the same template with the same values, and raises what it raised then.

    A trial may take all the steps that a template has. Who asks for work by an annotation, second after second, must not have
    it tried each time: everybody's objects wait for the translation.
    """

    def __init__(self, try_template: Callable[[str, Mapping[str, str]], None]) -> None:
        self._try = try_template
        self._ended: OrderedDict[bytes, UpdaterError | None] = OrderedDict()

    def __call__(self, text: str, values: Mapping[str, str]) -> None:
        """Raise `TemplateError` where the template fails."""
        whole = repr((text, sorted(values.items())))  # its digest, since a text may have as many characters as an object
        mark = hashlib.sha256(whole.encode(errors="surrogatepass")).digest()
        if mark not in self._ended:
            self._ended[mark] = self._failure(text, values)
            if len(self._ended) > MOST_REMEMBERED:
                self._ended.popitem(last=False)
        failure = self._ended[mark]
        if failure is not None:
            raise failure.with_traceback(None)

    def _failure(self, text: str, values: Mapping[str, str]) -> UpdaterError | None:
        try:
            self._try(text, values)
        except UpdaterError as error:
            return error
        return None
