"""What can go wrong with a look-up. Whoever asks decides by class: `NotFound` is an answer, `Temporary` is none."""

from appliance.base.problem import Kind, Problem
from appliance.dns.answers import Vouched
from appliance.mail.status import Status


class LookupProblem(Problem):
    """Base of them all."""


class NotAtHand(Exception):
    """Whoever asks does not want to wait, and the answer is not known yet. No outcome: to be asked for again."""


class InvalidName(LookupProblem):
    """Not a name the DNS could have: an empty or overlong label, more than 253 octets, not ASCII. Nobody was asked."""

    kind, status = Kind.INVALID, Status(5, 1, 0)


class NotFound(LookupProblem):
    """There is no such record, and that is definitive."""

    kind, status = Kind.NOT_FOUND, Status(5, 4, 4)

    def __init__(
        self,
        name: str,
        type_name: str,
        *,
        exists: bool,
        vouched: Vouched = Vouched.NOBODY,
        aliases: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{name} has no {type_name} record" if exists else f"{name} does not exist")
        self.name = name
        #: False: the name does not exist with any type (NXDOMAIN, RFC 2308 §2.1). True: it has other records, or names
        #: below it (no data, RFC 2308 §2.2).
        self.exists = exists
        #: Who vouches for the denial.
        self.vouched = vouched
        #: The names that CNAMEs led to; the last one lacks the record.
        self.aliases = aliases

    @property
    def authentic(self) -> bool:
        """Whether DNSSEC vouches for the absence."""
        return self.vouched is not Vouched.NOBODY


class Temporary(LookupProblem):
    """No answer this time: a later try may have one."""

    kind, status = Kind.UNAVAILABLE, Status(4, 4, 3)


class LookupTimeout(Temporary):
    """No server answered in time."""


class AliasLoop(Temporary):
    """CNAMEs that lead nowhere: in a circle, or too many."""


class Bogus(Temporary):
    """DNSSEC says that the answer is not what the zone's owner published (RFC 4033 §5)."""

    status = Status(4, 7, 5)


class UpdateFailed(Exception):
    """Records could not be changed: they are as they were, as far as anybody knows. The text says why."""
