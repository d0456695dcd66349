"""Ruleset/*: rules that a move of a message suggests. A rule is spelled as in the account's functions."""

from typing import Final

import msgspec

from appliance.config.domains import Ruleset
from appliance.operations import rulesetsuggestions
from appliance.servers.web.api import from_json, to_json
from appliance.servers.web.jmap.call import OWN, AccountArguments, Call, Method, Wire
from appliance.servers.web.jmap.own import ids
from appliance.servers.web.jmap.problem import MethodError
from appliance.servers.web.jmap.standard import Record

_TEXT_CHARACTERS: Final = 500


class SuggestArguments(AccountArguments, kw_only=True):
    """A message that is being moved, or was."""

    email_id: str
    from_mailbox_id: str
    to_mailbox_id: str


class Suggestion(Wire):
    """Of `list_id` and `from`, one is empty."""

    list_id: str
    from_: str = msgspec.field(name="from")
    is_remove: bool
    recipient: str
    ruleset: Record


class SuggestResponse(Wire):
    """Null: it suggests nothing."""

    account_id: str
    suggestion: Suggestion | None


async def suggest(call: Call, arguments: SuggestArguments) -> SuggestResponse:
    """Ruleset/suggest."""
    one = await rulesetsuggestions.suggest(
        call.app,
        call.actor,
        call.config,
        ids.message(call, arguments.email_id),
        ids.mailbox(call, arguments.from_mailbox_id),
        ids.mailbox(call, arguments.to_mailbox_id),
    )
    made = None
    if one is not None:
        made = Suggestion(
            list_id=one.list_id,
            from_=one.msg_from,
            is_remove=one.is_remove,
            recipient=one.recipient,
            ruleset=_written(one.ruleset),
        )
    return SuggestResponse(account_id=call.account_id, suggestion=made)


class RulesetArguments(AccountArguments, kw_only=True):
    """A rule of an address, as the configuration has both."""

    recipient: str
    ruleset: Record


class Done(Wire):
    """It is done."""

    account_id: str


def _written(ruleset: Ruleset) -> Record:
    """What is set of a rule."""
    made: Record = msgspec.to_builtins(ruleset, enc_hook=to_json, str_keys=True)
    return {name: value for name, value in made.items() if value not in (None, "", {}, False)}


def _read(given: Record) -> Ruleset:
    """Raises MethodError."""
    try:
        return msgspec.convert(given, Ruleset, dec_hook=from_json)
    except msgspec.ValidationError as error:
        raise MethodError("invalidArguments", f"ruleset: {error}") from error


async def add(call: Call, arguments: RulesetArguments) -> Done:
    """Ruleset/add."""
    await rulesetsuggestions.add(call.app, call.actor, arguments.recipient, _read(arguments.ruleset))
    return Done(account_id=call.account_id)


async def remove(call: Call, arguments: RulesetArguments) -> Done:
    """Ruleset/remove."""
    await rulesetsuggestions.remove(call.app, call.actor, arguments.recipient, _read(arguments.ruleset))
    return Done(account_id=call.account_id)


class NeverArguments(AccountArguments, kw_only=True):
    """Of `list_id` and `from`, one."""

    recipient: str
    list_id: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to_inbox: bool = False


async def never(call: Call, arguments: NeverArguments) -> Done:
    """Ruleset/never."""
    if bool(arguments.list_id) == bool(arguments.from_):
        raise MethodError("invalidArguments", "one of listId and from")
    texts = (arguments.recipient, arguments.list_id or "", arguments.from_ or "")
    if any(len(text) > _TEXT_CHARACTERS for text in texts):
        raise MethodError("invalidArguments", "a text is too long")
    await rulesetsuggestions.never(
        call.app,
        call.actor,
        arguments.recipient,
        list_id=arguments.list_id or "",
        msg_from=arguments.from_ or "",
        to_inbox=arguments.to_inbox,
    )
    return Done(account_id=call.account_id)


class NeverMailboxArguments(AccountArguments, kw_only=True):
    """Moves to a mailbox, or from it."""

    mailbox_id: str
    to_mailbox: bool = True


async def never_mailbox(call: Call, arguments: NeverMailboxArguments) -> Done:
    """Ruleset/neverMailbox."""
    id = ids.mailbox(call, arguments.mailbox_id)
    await rulesetsuggestions.never_mailbox(call.app, call.actor, id, to_mailbox=arguments.to_mailbox)
    return Done(account_id=call.account_id)


METHODS: Final = (
    Method("Ruleset/suggest", OWN, SuggestArguments, suggest),
    Method("Ruleset/add", OWN, RulesetArguments, add, changes=True),
    Method("Ruleset/remove", OWN, RulesetArguments, remove, changes=True),
    Method("Ruleset/never", OWN, NeverArguments, never, changes=True),
    Method("Ruleset/neverMailbox", OWN, NeverMailboxArguments, never_mailbox, changes=True),
)
