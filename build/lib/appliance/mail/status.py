"""Enhanced status codes, as SMTP replies, delivery notifications and logs carry them (RFC 3463)."""

import re
from typing import NamedTuple

_CODE = re.compile(r"([245])\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})", re.ASCII)


class StatusError(ValueError):
    """Not an enhanced status code."""


class Status(NamedTuple):
    """`class.subject.detail`; what the numbers mean is in RFC 3463 §3 and in IANA's registry (RFC 5248)."""

    #: 2 success, 4 to be tried again, 5 for good.
    klass: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"

    @property
    def is_temporary(self) -> bool:
        """Whether trying again may help."""
        return self.klass == 4


def parse(text: str) -> Status:
    """The code `text` is, with nothing around it. Raises StatusError."""
    if not (match := _CODE.fullmatch(text)):
        raise StatusError("not an enhanced status code")
    return Status(*map(int, match.groups()))
