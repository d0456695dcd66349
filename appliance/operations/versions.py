"""Versions of this program: their order, and whether a newer one is known."""

import re
from functools import total_ordering
from typing import Final

from appliance import __version__
from appliance.delivery.appliance import Appliance
from appliance.store import updates

_VERSION: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})")


@total_ordering
class Version:
    """Of this program."""

    def __init__(self, text: str) -> None:
        """Raises ValueError."""
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text[:40]!r} is no version such as v1.2.3")
        self._numbers = tuple(map(int, match.groups()))

    def __str__(self) -> str:
        return "v" + ".".join(map(str, self._numbers))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._numbers == other._numbers

    def __lt__(self, other: "Version") -> bool:
        return self._numbers < other._numbers

    def __hash__(self) -> int:
        return hash(self._numbers)


def current() -> Version:
    """This program's."""
    return Version(__version__)


def newer(app: Appliance) -> Version | None:
    """A version newer than this program, if a look has found one; nobody is asked now."""
    with app.store.read() as tx:
        text = updates.version(tx)
    return Version(text) if text and Version(text) > current() else None
