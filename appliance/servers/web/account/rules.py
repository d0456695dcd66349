"""Trying rulesets."""

from datetime import datetime
from typing import Annotated

from appliance.config.domains import Ruleset
from appliance.config.schema import doc
from appliance.operations import rulesets
from appliance.servers.web.api import Call, Wire


class RulesetMatch(Wire):
    """A message that a ruleset matches."""

    received: datetime
    msg_from: str
    subject: str


class RulesetPreview(Wire):
    """What a ruleset would have done."""

    looked_at: Annotated[int, doc("Messages that came by SMTP and were compared.")]
    matches: list[RulesetMatch]
    gave_up: Annotated[bool, doc("The expressions take too much work; as at delivery, the rest was not compared.")]


async def ruleset_preview(call: Call, ruleset: Ruleset, mailbox: str = "Inbox", limit: int = 100) -> RulesetPreview:
    """Which of the newest messages of a mailbox a ruleset matches, newest first; it need not be saved."""
    found = await rulesets.preview(call.app, call.actor, ruleset, mailbox, max(1, limit))
    return RulesetPreview(
        looked_at=found.looked_at,
        matches=[
            RulesetMatch(received=one.received, msg_from=one.msg_from, subject=one.subject) for one in found.matching
        ],
        gave_up=found.gave_up,
    )
