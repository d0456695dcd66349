"""Which of a destination's rulesets is meant for a message. No store, no network.

Expressions are the account's, the texts are strangers': the search cannot be made to hang (`base.regexp`), and all of a
message's searches together have one budget.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.base import regexp
from appliance.base.regexp import Budget, TooMuchWork
from appliance.config.domains import Ruleset
from appliance.mail import header
from appliance.mail.domain import Domain
from appliance.mail.header import Field
from appliance.msgauth.results import Checked


@dataclass(frozen=True, slots=True)
class Incoming:
    """What rulesets look at."""

    #: As text, the domain in U-labels; empty for the null path.
    mail_from: str
    #: The one address of From; None matches no expression.
    msg_from: str | None
    #: Vouched for by DKIM, or by SPF as domain of MAIL FROM or HELO.
    verified: frozenset[Domain]
    #: Names and values in lower case, of `header_fields`; None when the header cannot be understood.
    fields: Sequence[tuple[str, str]] | None


@dataclass(frozen=True, slots=True)
class Match:
    """The outcome."""

    #: The first that matches.
    ruleset: Ruleset | None
    #: Looking took more work than a message is worth; the rulesets left did not get their turn.
    gave_up: bool = False


def first(rulesets: Sequence[Ruleset], incoming: Incoming, budget: Budget | None = None) -> Match:
    """The first ruleset whose every condition holds. A message whose header cannot be understood has none.

    Takes a moment where the header is large or the expressions are many: not in the event loop then.
    """
    if not rulesets or incoming.fields is None:
        return Match(None)
    budget = budget or Budget()
    try:
        for ruleset in rulesets:
            if _matches(ruleset, incoming, incoming.fields, budget):
                return Match(ruleset)
    except TooMuchWork:
        return Match(None, gave_up=True)
    return Match(None)


def verified_domains(checked: Checked) -> frozenset[Domain]:
    """The domains that a ruleset may ask for."""
    helo = checked.helo_spf.domain if checked.helo_validated else None
    return checked.verified_domains | ({helo} if helo is not None else set())


def header_fields(head: bytes, fields: Iterable[Field]) -> list[tuple[str, str]]:
    """Names and values in lower case, the values unfolded and stripped; encoded words stay as they are."""
    return [
        (field.name.decode("ascii", "replace").lower(), header.content(head, field).decode("utf-8", "replace").lower())
        for field in fields
    ]


def _matches(ruleset: Ruleset, incoming: Incoming, fields: Sequence[tuple[str, str]], budget: Budget) -> bool:
    conditions = 0
    if (pattern := ruleset.smtp_mail_from_regexp) is not None:
        conditions += 1
        if not regexp.compile(pattern).search(incoming.mail_from, budget):
            return False
    if (pattern := ruleset.msg_from_regexp) is not None:
        conditions += 1
        if incoming.msg_from is None or not regexp.compile(pattern).search(incoming.msg_from, budget):
            return False
    if (wanted := ruleset.verified_domain) is not None:
        conditions += 1
        name, below = wanted.domain.ascii, f".{wanted.domain.ascii}"
        if not any(one.ascii == name or one.ascii.endswith(below) for one in incoming.verified):
            return False
    for name_pattern, value_pattern in ruleset.headers_regexp.items():
        conditions += 1
        names, values = regexp.compile(name_pattern), regexp.compile(value_pattern)
        if not any(names.search(name, budget) and values.search(value, budget) for name, value in fields):
            return False
    # The configuration demands a condition; without any, a ruleset must not take everything.
    return conditions > 0
