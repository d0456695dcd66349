"""MDN/send and MDN/parse (RFC 9007): receipts for messages, and what they say."""

import re
from functools import partial
from typing import Any, Final, Literal

import msgspec
import trio

from appliance.base.problem import Problem
from appliance.mail import decode, mdn
from appliance.mail.mdn import Disposition
from appliance.operations import identities, receipts
from appliance.operations.receipts import AlreadySent, BadRecipient, ForbiddenRecipient, TooLarge, Wanted
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import MAIL, MDN, AccountArguments, Call, Method, Wire
from appliance.servers.web.jmap.email import headerforms
from appliance.servers.web.jmap.email.reading import ParseResponse, parse_blobs
from appliance.servers.web.jmap.problem import MethodError, SetError, invalid_properties, set_error
from appliance.servers.web.jmap.standard import Record
from appliance.store import objectid, thread
from appliance.store.spool import Spooled

#: Receipts of one call.
_MOST: Final = 50
#: Of texts of a receipt: what is sent, and what is read of one.
_TEXT_CHARACTERS: Final = 100_000
_LINE_CHARACTERS: Final = 500
_EXTENSIONS: Final = 20
_FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,70}")
#: Of ASCII, as the part for programs is (RFC 8098 §3.1).
_VALUE: Final = re.compile(r"[ -~]*")
_ACTIONS: Final = ("manual-action", "automatic-action")
_SENDINGS: Final = ("mdn-sent-manually", "mdn-sent-automatically")
_KINDS: Final = ("deleted", "dispatched", "displayed", "processed")


class _Disposition(Wire, forbid_unknown_fields=True):
    action_mode: Literal["manual-action", "automatic-action"]
    sending_mode: Literal["mdn-sent-manually", "mdn-sent-automatically"]
    type: Literal["deleted", "dispatched", "displayed", "processed"]


class _Receipt(Wire, kw_only=True, forbid_unknown_fields=True):
    """An MDN as it is sent (RFC 9007 §2)."""

    for_email_id: str
    subject: str | None = None
    text_body: str | None = None
    include_original_message: bool = False
    reporting_ua: str | None = msgspec.field(default=None, name="reportingUA")
    disposition: _Disposition
    final_recipient: str | None = None
    extension_fields: dict[str, str] | None = None


class SendArguments(AccountArguments, kw_only=True):
    """RFC 9007 §2.1."""

    identity_id: str
    send: dict[str, Record]
    on_success_update_email: dict[str, Record] | None = None


class SendResponse(Wire, kw_only=True):
    """RFC 9007 §2.1."""

    account_id: str
    sent: dict[str, Record] | None
    not_sent: dict[str, Record] | None


class ParseArguments(AccountArguments, kw_only=True):
    """RFC 9007 §2.2."""

    blob_ids: list[str]


# Sending.


async def send(call: Call, arguments: SendArguments) -> SendResponse:
    """MDN/send, and the Email/set that follows from it."""
    if MAIL not in call.using:
        raise MethodError("unknownMethod", f"MDN/send needs {MAIL}, too")
    if len(arguments.send) > _MOST:
        raise MethodError("requestTooLarge", f"at most {_MOST} receipts")
    identity = call.resolve(arguments.identity_id)
    if identity not in identities.all_of(call.app, call.actor, call.config):
        raise MethodError("invalidArguments", "there is no such identity")
    patches = arguments.on_success_update_email or {}
    sent: dict[str, Record] = {}
    not_sent: dict[str, Record] = {}
    update: dict[str, Record] = {}
    for name, given in arguments.send.items():
        try:
            receipt = standard.converted(given, _Receipt)
            email = call.resolve(receipt.for_email_id)
            patch = patches.get(f"#{name}", {})
            if not _sets_keyword(patch):
                raise invalid_properties(f"onSuccessUpdateEmail must set {receipts.SENT} of the message", "forEmailId")
            if email in update:  # One for each message: the keyword will be there only afterwards.
                raise SetError("mdnAlreadySent", "another receipt of this call is for the message")
            said = await _send(call, identity, email, receipt)
        except SetError as error:
            not_sent[name] = error.fields
        except Problem as problem:
            not_sent[name] = set_error(problem).fields
        else:
            made = {**_DEFAULTS, **given, **_record(said)}
            sent[name] = {key: value for key, value in made.items() if key not in given or given[key] != value}
            update[email] = patch
    if update:
        call.follow("Email/set", {"accountId": call.account_id, "update": update})
    return SendResponse(account_id=call.account_id, sent=sent or None, not_sent=not_sent or None)


_DEFAULTS: Final[Record] = {"subject": None, "textBody": None, "includeOriginalMessage": False}


def _sets_keyword(patch: Record) -> bool:
    """Whether a patch has the keyword set; in lower case always (RFC 9007 §1.2)."""
    keywords = patch.get("keywords")
    if isinstance(keywords, dict) and keywords.get(receipts.SENT) is True:
        return True
    return any(patch.get(f"{slash}keywords/{receipts.SENT}") is True for slash in ("", "/"))


async def _send(call: Call, identity: str, email: str, receipt: _Receipt) -> Disposition:
    """Send one; what it says. Raises SetError and Problem."""
    number = objectid.parse("M", call.account, email)
    if number is None:
        raise SetError("notFound", "there is no such Email")
    extensions = receipt.extension_fields or {}
    if len(extensions) > _EXTENSIONS:
        raise invalid_properties(f"at most {_EXTENSIONS} further fields", "extensionFields")
    for name, value in extensions.items():
        if not _FIELD_NAME.fullmatch(name) or name.lower() in mdn.FIELDS or not _is_line(value):
            raise invalid_properties(f"no further field can be so: {name[:100]}", "extensionFields")
    for property, text in (("reportingUA", receipt.reporting_ua), ("finalRecipient", receipt.final_recipient)):
        if text is not None and not (_is_line(text) or property == "finalRecipient"):
            raise invalid_properties("it is short, of ASCII", property)
    if len(receipt.text_body or "") > _TEXT_CHARACTERS or len(receipt.subject or "") > _LINE_CHARACTERS:
        raise SetError("tooLarge", "the receipt is too long")
    wanted = Wanted(
        identity=identity,
        message=number,
        said=Disposition(
            reporting_ua=receipt.reporting_ua or "",
            final_recipient=receipt.final_recipient or "",
            action_mode=receipt.disposition.action_mode,
            sending_mode=receipt.disposition.sending_mode,
            kind=receipt.disposition.type,
            extensions=tuple(extensions.items()),
        ),
        subject=receipt.subject,
        text=receipt.text_body,
        includes_original=receipt.include_original_message,
        max_octets=call.max_message_octets,
        trace=call.trace() if call.trace is not None else None,
    )
    try:
        # The client may leave now: what it has sent is sent.
        with trio.CancelScope(shield=True):
            said = await receipts.send(call.app, call.actor, call.config, wanted, log=call.log)
    except AlreadySent as problem:
        raise SetError("mdnAlreadySent", str(problem)) from problem
    except ForbiddenRecipient as problem:
        raise SetError("forbiddenFrom", str(problem)) from problem
    except BadRecipient as problem:
        raise invalid_properties(str(problem), "finalRecipient") from problem
    except TooLarge as problem:
        raise SetError("tooLarge", str(problem), maxSize=call.max_message_octets) from problem
    return said


def _is_line(text: str) -> bool:
    return len(text) <= _LINE_CHARACTERS and bool(_VALUE.fullmatch(text))


# Reading.


async def parse(call: Call, arguments: ParseArguments) -> ParseResponse:
    """MDN/parse."""
    return await parse_blobs(call, arguments.blob_ids, partial(_parse, call))


def _parse(call: Call, _: str, spooled: Spooled) -> Record | None:
    """One as JMAP has it; None for what is none. In a thread."""
    root = spooled.scanned.root
    said = mdn.read(root, spooled.reader)
    if said is None or said.kind not in _KINDS or (said.action_mode, said.sending_mode) not in _MODES:
        return None
    with call.app.store.read() as tx:
        known = list(thread.with_message_id(tx, call.account, said.message_id)) if said.message_id else []
    first, fields = root.parts[0], spooled.scanned.fields
    octets = spooled.reader(first.body, min(first.end, first.body + _TEXT_CHARACTERS))
    subjects = [spooled.scanned.header[one.value : one.end] for one in fields if one.name.lower() == b"subject"]
    is_text = first.media_type == "text" and first.subtype == "plain"
    return {
        # Several of one Message-ID do not tell which is meant.
        "forEmailId": objectid.message(call.account, known[0]) if len(known) == 1 else None,
        "subject": headerforms.text(subjects[-1])[:_LINE_CHARACTERS] if subjects else None,
        "textBody": decode.part_text(first, octets).replace("\r\n", "\n") if is_text else None,
        "includeOriginalMessage": len(root.parts) > 2,
        **_record(said),
    }


_MODES: Final = frozenset((action, sending) for action in _ACTIONS for sending in _SENDINGS)


def _record(said: Disposition) -> dict[str, Any]:
    """What one says as JMAP has it."""
    return {
        "reportingUA": said.reporting_ua or None,
        "disposition": {"actionMode": said.action_mode, "sendingMode": said.sending_mode, "type": said.kind},
        "mdnGateway": said.gateway or None,
        "originalRecipient": said.original_recipient or None,
        "finalRecipient": said.final_recipient or None,
        "originalMessageId": said.original_message_id or None,
        "error": list(said.errors) or None,
        "extensionFields": dict(said.extensions) or None,
    }


METHODS: Final = (
    Method("MDN/send", MDN, SendArguments, send, changes=True),
    Method("MDN/parse", MDN, ParseArguments, parse),
)
