"""Problems: outcomes that are nobody's bug, named, with an RFC 3463 code. Bugs stay ordinary exceptions.

Every door has a table from `Kind` to what its protocol says; `str()` of a problem may be shown to people.
"""

import enum
from typing import ClassVar

from appliance.mail.status import Status


class Kind(enum.Enum):
    """What sort of outcome it is, for the doors' tables."""

    NOT_FOUND = "not found"
    EXISTS = "exists"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    OVER_QUOTA = "over quota"
    LIMIT = "limit"
    CONFLICT = "conflict"
    #: Not now; later it may work.
    UNAVAILABLE = "unavailable"
    NOT_AUTHENTICATED = "not authenticated"
    #: The credentials are right, but the account may not log in.
    DISABLED = "disabled"
    TOO_MANY = "too many"


class Problem(Exception):
    """Base of all named outcomes."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    status: ClassVar[Status] = Status(4, 3, 0)
