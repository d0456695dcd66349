"""Junk/explain: why a message is where it is."""

from typing import Final

from appliance.operations import junkreasons
from appliance.servers.web.jmap.call import OWN, AccountArguments, Call, Method, Wire
from appliance.servers.web.jmap.own import ids


class ExplainArguments(AccountArguments, kw_only=True):
    """Which message."""

    email_id: str


class Word(Wire):
    """A word, and the share of junk among the messages it was seen in."""

    word: str
    spam: float


class ExplainResponse(Wire):
    """`texts`: sentences for its reader. The numbers are null where the account has no filter."""

    account_id: str
    is_junk: bool | None
    probability: float | None
    threshold: float | None
    words: list[Word]
    reason: str
    texts: list[str]
    hams: int
    spams: int


async def explain(call: Call, arguments: ExplainArguments) -> ExplainResponse:
    """Junk/explain."""
    id = ids.message(call, arguments.email_id)
    found = await junkreasons.explain(call.app, call.actor, call.config, id)
    return ExplainResponse(
        account_id=call.account_id,
        is_junk=found.is_junk,
        probability=found.probability,
        threshold=found.threshold,
        words=[Word(word=word, spam=share) for word, share in found.words],
        reason=found.reason,
        texts=list(found.texts),
        hams=found.hams,
        spams=found.spams,
    )


METHODS: Final = (Method("Junk/explain", OWN, ExplainArguments, explain),)
