"""Send: a message from the fields and files of a request."""

import binascii
import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import trio

from appliance import __version__
from appliance.base.metrics import Counter
from appliance.base.problem import Problem
from appliance.config.domains import Account
from appliance.mail import compose as fields, sniff
from appliance.mail.address import Address, AddressError, Path, parse_address
from appliance.mail.letter import Letter, LetterFile, Named
from appliance.mail.told import NameAddress
from appliance.operations import compose, submit
from appliance.operations.submit import Accepted, Once
from appliance.servers.web.webapi.call import Call, Failed
from appliance.servers.web.webapi.types import File, SendRequest, SendResult, Submission

submissions = Counter("webapi_submission_total", "Messages sent by the webapi.", ("result",))
errors = Counter("webapi_errors_total", "What went wrong with messages sent by the webapi.", ("error",))

#: Of base64, decoded at a time.
_SLICE_CHARACTERS: Final = 256 * 1024
_INLINE_CHARACTERS: Final = 16 * 1024
_KEY_CHARACTERS: Final = 200


async def send(call: Call, request: SendRequest) -> SendResult:
    """Send a message."""
    try:
        accepted, result = await _send(call, request)
    except submit.SubmissionRefused as problem:
        submissions.labels("domaindisabled" if isinstance(problem, submit.SenderDisabled) else problem.result).inc()
        raise
    except (Failed, compose.BadLetter, compose.LetterTooLarge):
        raise
    except Problem:
        submissions.labels("queueerror").inc()
        errors.labels("submit").inc()
        raise
    if accepted.over_quota:
        submissions.labels("storesenterror").inc()
        raise Failed("sentOverQuota", "the message is queued, but the account is too full for a copy of it")
    submissions.labels("ok").inc()
    return result


async def _send(call: Call, request: SendRequest) -> tuple[Accepted, SendResult]:
    if not request.text and not request.html:
        raise Failed("missingBody", "a message needs Text or HTML")
    if len(request.from_) > 1:
        raise Failed("multipleFrom", "a message has one address in From")
    if len(request.idempotency_key) > _KEY_CHARACTERS:
        raise Failed("user", f"an IdempotencyKey has at most {_KEY_CHARACTERS} characters")
    account = call.config.domains.accounts[call.actor.name]
    sender, *_ = from_ = _named(request.from_ or [_own(call, account)])
    to, cc, bcc, reply_to = map(_named, (request.to, request.cc, request.bcc, request.reply_to))
    submit.check_sender(call.config, call.actor.name, sender[1])
    recipients = [*to, *cc, *bcc]
    if not recipients:
        raise Failed("noRecipients", "a message needs a recipient in To, CC or BCC")
    message_id = request.message_id
    if not message_id:
        random = call.app.random.token_bytes(submit.ID_OCTETS)
        message_id = fields.message_id(random, call.config.static.hostname.domain)
    alternative, inline, attached = files = await _files(call, request)
    once = None
    if request.idempotency_key:
        once = Once(request.idempotency_key, await trio.to_thread.run_sync(_digest, call, request, files))
    letter = Letter(
        from_=from_,
        to=to,
        cc=cc,
        reply_to=reply_to,
        subject=request.subject,
        date=request.date or call.app.clock.now(),
        message_id=message_id,
        references=request.references,
        tls_not_required=request.require_tls is False,
        fields=request.headers,
        program=f"moxpy/{__version__}",
        text=request.text,
        html=request.html,
        alternative=alternative,
        inline=inline,
        attached=attached,
        # RFC 6531 §3.2: for a localpart, and for nothing else, or fewer servers would take it.
        utf8=any(address.needs_smtputf8 for _, address in (*from_, *recipients, *reply_to)),
    )
    outgoing = compose.Outgoing(
        letter=letter,
        sender=sender[1],
        bcc=bcc,
        trace=call.trace,
        requiretls=request.require_tls is True,
        release=request.future_release,
        extra=request.extra,
        save_sent=request.save_sent,
        once=once,
        max_octets=call.max_message_octets,
    )
    # The client may leave now: what it has sent is sent.
    with trio.CancelScope(shield=True):
        accepted = await compose.send(call.app, call.actor, outgoing, log=call.log)
    entries = {one.path: one for one in accepted.entries}
    written = [one.address for one in (*request.to, *request.cc, *request.bcc)]
    answered = [
        Submission(address=text, queue_msg_id=entry.id, from_id=entry.from_id)
        for text, (_, address) in zip(written, recipients, strict=True)
        for entry in [entries[Path(address.localpart, address.domain)]]
    ]
    return accepted, SendResult(message_id=accepted.message_id, submissions=answered)


def _own(call: Call, account: Account) -> NameAddress:
    return NameAddress(account.full_name, call.actor.login_address)


def _named(entries: Sequence[NameAddress]) -> list[Named]:
    return [(one.name, _address(one.address)) for one in entries]


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except AddressError as error:
        raise Failed("badAddress", f"{text[:300]!r} is not an address: {error}") from error


# Files.


async def _files(call: Call, request: SendRequest) -> list[list[LetterFile]]:
    """Those of the request, then those beside it: alternative, inline, attached."""
    found = []
    given = (
        (request.alternative_files, "alternativefile"),
        (request.inline_files, "inlinefile"),
        (request.attached_files, "attachedfile"),
    )
    for files, name in given:
        letter_files = [await _decoded(call, one) for one in files]
        letter_files += [
            await _file(call, one.name, one.content_type, one.content_id, one.start, one.end)
            for one in call.files
            if one.field == name
        ]
        found.append(letter_files)
    return found


async def _decoded(call: Call, file: File) -> LetterFile:
    start = call.scratch.size
    text = file.data
    file.data = ""
    if len(text) <= _INLINE_CHARACTERS:
        for octets in _base64(text):
            await call.scratch.write(octets)
    else:
        pieces = _base64(text)
        while (octets := await trio.to_thread.run_sync(next, pieces, b"")) != b"":
            await call.scratch.write(octets)
    return await _file(call, file.name, file.content_type, file.content_id, start, call.scratch.size)


def _base64(text: str) -> Iterator[bytes]:
    """What is encoded, in pieces, none of them empty. Line ends do not count. Raises Failed."""
    text = text.replace("\r", "").replace("\n", "")
    try:
        for at in range(0, len(text), _SLICE_CHARACTERS):
            piece = text[at : at + _SLICE_CHARACTERS]
            if at + _SLICE_CHARACTERS < len(text) and "=" in piece:
                raise ValueError("padding within")
            yield binascii.a2b_base64(piece, strict_mode=True)
    except ValueError as error:
        raise Failed("user", f"Data of a file is not base64: {error}") from error


async def _file(call: Call, name: str, content_type: str, content_id: str, start: int, end: int) -> LetterFile:
    scratch = call.scratch

    def read(first: int, last: int) -> bytes:
        return scratch.read(start + first, start + last)

    if not content_type:
        if scratch.in_memory:
            beginning = read(0, min(sniff.OCTETS, end - start))
        else:
            beginning = await trio.to_thread.run_sync(read, 0, min(sniff.OCTETS, end - start))
        content_type = sniff.media_type(beginning)
    return LetterFile(name, content_type, content_id, end - start, read)


def _digest(call: Call, request: SendRequest, files: Sequence[Sequence[LetterFile]]) -> bytes:
    """What a request is: the same again makes the same. The content of all files lies in the scratch file by now."""
    named = [[(one.name, one.content_type, one.content_id, one.size) for one in some] for some in files]
    # Who has logged in stands in From where the request does not say.
    seen = hashlib.sha256(msgspec.json.encode([call.actor.login_address, request, named]))
    for start in range(0, call.scratch.size, _SLICE_CHARACTERS):
        seen.update(call.scratch.read(start, start + _SLICE_CHARACTERS))
    return seen.digest()
