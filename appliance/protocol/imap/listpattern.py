"""Patterns of LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.8): names with `*` and `%`."""

import re
from typing import Final

_WILD: Final = re.compile(r"[*%]+")
_INBOX: Final = "Inbox"


class Pattern:
    """Matched by all its states at once: linear in the name, whatever the pattern.

    A state is a bit: so much of the pattern has been matched.
    """

    def __init__(self, text: str) -> None:
        # Wildcards beside one another are as good as one, and then none of them leads to a second.
        self._text = folded = _WILD.sub(lambda run: "*" if "*" in run[0] else "%", text)
        self._is_plain = not _WILD.search(folded)
        self._literals: dict[str, int] = {}
        self._star = self._percent = 0
        for at, one in enumerate(folded):
            if one == "*":
                self._star |= 1 << at
            elif one == "%":
                self._percent |= 1 << at
            else:
                self._literals[one] = self._literals.get(one, 0) | 1 << at
        self._wild = self._star | self._percent
        self._end = 1 << len(folded)

    @property
    def is_cheap(self) -> bool:
        """Whether matching costs nothing to speak of."""
        return self._is_plain or self._text in {"*", "%"}

    def matches(self, name: str) -> bool:
        """Whether a name fits."""
        if self._is_plain:
            return name == self._text
        if self._text == "*":
            return True
        if self._text == "%":
            return "/" not in name
        states = 1 | (self._wild & 1) << 1
        for one in name:
            stay = states & (self._star if one == "/" else self._wild)
            states = stay | (states & self._literals.get(one, 0)) << 1
            states |= (states & self._wild) << 1
            if not states:
                return False
        return bool(states & self._end)


class ListPattern:
    """What one pattern of LIST asks for, its reference put before it.

    INBOX is INBOX in any casing, as the first element of a name, too, and matches as it is shown: in upper case.
    """

    def __init__(self, reference: str, pattern: str) -> None:
        whole = reference + pattern
        head, slash, rest = whole.partition("/")
        self._any = Pattern(whole)
        upper = head.upper() + slash + rest
        self._inbox = None if upper == whole else Pattern(upper)
        self.is_cheap = self._any.is_cheap and (self._inbox is None or self._inbox.is_cheap)

    def matches(self, name: str) -> bool:
        """Whether the canonical name of a mailbox fits."""
        if name == _INBOX or name.startswith(_INBOX + "/"):
            shown = _INBOX.upper() + name[len(_INBOX) :]
            return self._any.matches(shown) or (self._inbox is not None and self._inbox.matches(shown))
        return self._any.matches(name)
