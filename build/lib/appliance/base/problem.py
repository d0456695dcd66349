"""Problems: the named outcomes of a request that could not be granted. Bugs stay ordinary exceptions.

A room derives its own from `Problem` and sets the two class attributes. Each door (SMTP, IMAP, web, command line)
holds one table from `Kind` to its own language, tested to be complete.
"""

import enum
from typing import ClassVar

from appliance.mail.status import Status


class Kind(enum.Enum):
    """What sort of outcome it is, for doors that have no words for the single problem."""

    #: The thing named does not exist.
    NOT_FOUND = "not found"
    #: The thing to be made exists already.
    EXISTS = "exists"
    #: What was asked makes no sense: syntax, range, form.
    INVALID = "invalid"
    #: It makes sense, but not for this actor.
    FORBIDDEN = "forbidden"
    #: The account or the house holds as many octets as it may.
    OVER_QUOTA = "over quota"
    #: One request is too large or asks for too much at once.
    LIMIT = "limit"
    #: Another change came first, or the thing is in use.
    CONFLICT = "conflict"
    #: Not now: a disk, a name server or another part does not answer. Trying later may help.
    UNAVAILABLE = "unavailable"
    #: Credentials are missing or wrong.
    NOT_AUTHENTICATED = "not authenticated"
    #: The account or feature is switched off by the operator.
    DISABLED = "disabled"
    #: Too many requests in a time; later ones may succeed.
    TOO_MANY = "too many"
    #: Understood, and not offered here.
    UNSUPPORTED = "unsupported"


class Problem(Exception):
    """An outcome with a name. Its text may be shown to the one who asked; the cause is chained for our log."""

    kind: ClassVar[Kind] = Kind.INVALID
    #: RFC 3463, as SMTP, delivery status notifications and logs use it.
    status: Status = Status(5, 0, 0)

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later (class 4 of RFC 3463 §3.1)."""
        return self.status.klass == 4
