"""What is written down with a copy of a message: header fields, how it came, what its sender's domain is told. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from appliance.delivery import facts
from appliance.delivery.copies import Copy
from appliance.delivery.decide import Accept, Reason, Refuse
from appliance.delivery.judge import Incoming, Judgement
from appliance.delivery.reputation import Sender
from appliance.mail import received
from appliance.mail.address import Address
from appliance.mail.authres import AuthResults
from appliance.msgauth import fields
from appliance.msgauth.dmarc import evaluation as evaluations, record as records
from appliance.msgauth.results import AuthStatus, Checked, Validation
from appliance.store.records import Origin

_TLS_NUMBERS: Final = {"TLS1.0": 0x0301, "TLS1.1": 0x0302, "TLS1.2": 0x0303, "TLS1.3": 0x0304}


def added_fields(incoming: Incoming, copy: Copy, judgement: Judgement) -> bytes:
    """Header fields put before the message.

    In this order: why it was delivered as it was, why it is not a report, Delivered-To, X-Original-To, Return-Path,
    Authentication-Results, Received-SPF, Received.
    """
    envelope = incoming.envelope
    lines = [
        facts.reason_field(judgement.verdict),
        judgement.report_errors,
        # A-labels: only a localpart beyond ASCII makes a header need SMTPUTF8 (RFC 6531 §3.7.3).
        f"Delivered-To: {copy.recipient.path.ascii}\r\n".encode(),
        _original(copy),
        f"Return-Path: <{envelope.reverse_path.ascii}>\r\n".encode(),
        *_trace(incoming, copy, judgement, utf8=envelope.smtputf8),
    ]
    return b"".join(lines) + envelope.prefix


def _original(copy: Copy) -> bytes:
    """The address that the sender named, where it is another: of an alias, a catch-all, or anybody's in localserve.

    A field that Postfix made usual; programs sort by it.
    """
    named = copy.rcpt.ascii
    return b"" if named.lower() == copy.recipient.path.ascii.lower() else f"X-Original-To: {named}\r\n".encode()


def forwarded_fields(incoming: Incoming, copy: Copy, judgement: Judgement, by: Address, *, utf8: bool) -> bytes:
    """Header fields put before a message that goes on: whom it was delivered to, and the last three of those above.

    Why it was accepted is the business of its reader here.
    """
    lines = [f"Delivered-To: {by.ascii}\r\n".encode(), *_trace(incoming, copy, judgement, utf8=utf8)]
    return b"".join(lines) + incoming.envelope.prefix


def results(incoming: Incoming, judgement: Judgement, *, utf8: bool) -> AuthResults | None:
    """What was found out about the sender, as a value; None when nobody had to look."""
    stranger, checked = incoming.envelope.stranger, incoming.checked
    if stranger is None or checked is None:
        return None
    return fields.results(stranger.client, checked, override=_override(checked, judgement.verdict), utf8=utf8)


def _trace(incoming: Incoming, copy: Copy, judgement: Judgement, *, utf8: bool) -> Iterator[bytes]:
    envelope, checked, trace = incoming.envelope, incoming.checked, incoming.envelope.trace
    if envelope.stranger is not None and checked is not None:
        client, override = envelope.stranger.client, _override(checked, judgement.verdict)
        yield fields.authentication_results(client, checked, override=override, utf8=utf8)
        yield fields.received_spf(client, checked, utf8=utf8)
        if trace is not None:
            trace = replace(trace, remote_name=checked.iprev.name)
    if trace is not None:
        yield received.compose(trace, copy.rcpt.ascii)


def _override(checked: Checked, verdict: Accept | Refuse) -> str:
    """Why a policy that the message fails was not followed; empty when it was, or did not need to be."""
    if checked.dmarc.status is not AuthStatus.FAIL or checked.dmarc.policy in {None, records.Policy.NONE}:
        return ""
    if verdict.override is not None:
        return verdict.override.value
    return "" if checked.dmarc.sampled else "sampled_out"


def origin(incoming: Incoming, copy: Copy, judgement: Judgement, *, is_dsn: bool) -> Origin:
    """What is remembered of how the message came: its reputation later rests on that."""
    envelope, checked, sender, verdict = incoming.envelope, incoming.checked, judgement.sender, judgement.verdict
    is_forward = verdict.is_forward
    known = incoming.msg_from
    return Origin(
        remote_ip=str(envelope.remote_ip),
        ehlo="" if is_forward else envelope.ehlo,
        mail_from=str(envelope.reverse_path),
        rcpt_to=str(copy.rcpt),
        msg_from_localpart=known.localpart if known else "",
        msg_from_domain=known.domain.unicode if known else "",
        msg_from_org_domain=sender.msg_from_org_domain,
        ehlo_validation=checked.helo_validation if checked else Validation.UNKNOWN,
        mail_from_validation=checked.mail_from_validation if checked else Validation.UNKNOWN,
        msg_from_validation=_from_validation(checked, sender),
        ehlo_validated=sender.ehlo_validated,
        mail_from_validated=sender.mail_from_validated,
        msg_from_validated=sender.msg_from_validated,
        dkim_domains=sender.dkim_domains,
        orig_ehlo=envelope.ehlo,
        orig_dkim_domains=checked.dkim_domains if checked else (),
        tls_version=1 if envelope.tls_version is None else _TLS_NUMBERS.get(envelope.tls_version, 0),
        tls_cipher=envelope.tls_cipher,
        requiretls=envelope.requiretls,
        is_forward=is_forward,
        is_mailing_list=isinstance(verdict, Accept) and verdict.is_mailing_list,
        is_reject=isinstance(verdict, Refuse) or verdict.is_reject,
        is_dsn=is_dsn,
        reason=verdict.reason.value,
    )


def _from_validation(checked: Checked | None, sender: Sender) -> Validation:
    if checked is None:
        return Validation.STRICT if sender.msg_from_validated else Validation.UNKNOWN
    return checked.msg_from_validation


def evaluation(incoming: Incoming, copy: Copy, verdict: Accept | Refuse) -> evaluations.Evaluation | None:
    """What the owner of From's domain may learn: nothing of refusals that are only for the time being."""
    stranger, checked, rcpt = incoming.envelope.stranger, incoming.checked, copy.rcpt.address
    if stranger is None or checked is None or rcpt is None:
        return None
    is_accepted = isinstance(verdict, Accept) and not verdict.is_reject
    if not is_accepted and verdict.reason is not Reason.DMARC_POLICY:
        return None
    disposition, overrides = records.Policy.NONE, []
    if verdict.reason is Reason.DMARC_POLICY:
        disposition = records.Policy.REJECT if isinstance(verdict, Refuse) else records.Policy.QUARANTINE
        if isinstance(verdict, Accept):
            overrides.append(evaluations.Override.LOCAL_POLICY)
    elif override := _override(checked, verdict):
        overrides.append(evaluations.Override(override))
    return evaluations.evaluation(stranger.client, checked, rcpt, disposition, tuple(overrides))
