"""Command `sendmail`: takes a message as cron and scripts hand it over, and submits it to a mail server.

Neither a running server nor its configuration is needed, only `/etc/moxpysubmit.toml`. Who may not read that hands the
message to a service that may (`submitsocket`). A message that could not be handed over is kept in the home of who sent
it.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from appliance.base.clock import SystemClock
from appliance.base.ids import SystemRandom
from appliance.base.limits import MIB
from appliance.cli import submitsocket
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError
from appliance.cli.submitsocket import Request, SocketError
from appliance.config import submitting
from appliance.config.errors import ConfigErrors
from appliance.config.submitting import Submitting
from appliance.mail.address import Address, AddressError, parse_address
from appliance.mail.compose import message_id
from appliance.mail.systemmail import SystemMessage
from appliance.operations import handover
from appliance.operations.handover import HandOverFailed, Means

#: Larger ones are kept and not sent.
MESSAGE_OCTETS: Final = 128 * MIB
_PIECE_OCTETS: Final = 1 * MIB
#: Flags of other sendmails that have a value, in the same word or the next.
_VALUED: Final = frozenset("ABCDFLMNORVXbefhopr")
#: Those whose value, if any, is in the same word.
_GLUED: Final = frozenset("dqQ")
FAILURES: Final = "moxpysubmit.failures"


@dataclass(frozen=True, slots=True)
class Called:
    """What the flags and arguments say; those that mean nothing here are ignored."""

    recipients: tuple[str, ...] = ()
    #: -t: the recipient stands in the To field.
    from_header: bool = False
    #: -F: name of the sender, for messages without one.
    name: str = ""
    #: -C: another configuration file.
    config: str = ""


def parse(arguments: Sequence[str]) -> Called:
    """The command line of a sendmail. Raises UsageError."""
    recipients: list[str] = []
    values: dict[str, str] = {}
    from_header = False
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            recipients += rest
            break
        if not word.startswith("-") or word == "-":
            recipients.append(word)
            continue
        if word.startswith("--"):
            continue
        for at, letter in enumerate(word[1:], start=1):
            if letter in _VALUED:
                value = word[at + 1 :] or next(rest, None)
                if value is None:
                    raise UsageError(f"flag -{letter} needs a value")
                values[letter] = value
            from_header = from_header or letter == "t"
            if letter in _VALUED or letter in _GLUED:
                break
    if not values.get("b", "m").startswith("m"):
        raise UsageError(f"-b{values['b'][:1]}: messages are submitted here, nothing else")
    if not recipients and not from_header:
        raise UsageError("usage: sendmail [flags] [-F name] [-t] [recipient] < message")
    return Called(tuple(recipients), from_header, values.get("F", ""), values.get("C", ""))


def sendmail(invocation: Invocation) -> int:
    """Submit the message on standard input (L: sendmail)."""
    called = parse(invocation.arguments)
    installed_for_all = os.getegid() != os.getgid()
    if not installed_for_all and (way := _socket(called)) is not None:
        return _hand_over(way, called)
    if called.config and installed_for_all:
        raise UsageError("-C: not with a program that may read what its caller may not")
    means: Means | Failed
    try:
        means = _means(Path(called.config) if called.config else submitting.PATH, trusting=not installed_for_all)
    except Failed as problem:
        means = problem
    if installed_for_all:
        os.setregid(os.getgid(), os.getgid())  # What the group may read is read. The rest is done as the caller.
    kept = octets = sys.stdin.buffer.read(MESSAGE_OCTETS + 1)
    sent = False
    try:
        if isinstance(means, Failed):
            raise means
        recipient, kept = _prepared(called, octets, means)
        _submit(means, recipient, kept)
        sent = True
    finally:
        if not sent:
            print(_keep(kept), file=sys.stderr)
    return OK


def _socket(called: Called) -> Path | None:
    """The socket to hand the message to; None where the configuration can be read, or there is no service."""
    if called.config:
        return Path(called.config) if Path(called.config).is_socket() else None
    return None if os.access(submitting.PATH, os.R_OK) or not submitsocket.PATH.is_socket() else submitsocket.PATH


def _hand_over(way: Path, called: Called) -> int:
    octets = sys.stdin.buffer.read(MESSAGE_OCTETS + 1)
    sent = False
    try:
        _check_size(octets)
        if problem := submitsocket.ask(way, Request(called.recipients, called.from_header, called.name), octets):
            raise Failed(problem)
        sent = True
    except SocketError as error:
        raise Failed(str(error)) from error
    finally:
        if not sent:
            print(_keep(octets), file=sys.stderr)
    return OK


def serve(_: Invocation) -> int:
    """Submit one message that comes by the socket on standard input (L: sendmailserve)."""
    try:
        sock = socket.socket(fileno=os.dup(sys.stdin.fileno()))
        user = submitsocket.user_of(sock)
        wanted, octets = submitsocket.receive(sock, MESSAGE_OCTETS)
    except (OSError, SocketError) as error:
        raise Failed(f"on standard input must be a socket with a message: {error}") from error
    with sock:
        try:
            called = Called(wanted.recipients, wanted.from_header, wanted.name)
            means = _means(_given(submitting.PATH), trusting=True)
            recipient, octets = _prepared(called, octets, means)
            _submit(means, recipient, octets)
        except Failed as problem:
            submitsocket.answer(sock, str(problem))
            print(f"not submitted for user {user}: {problem}", file=sys.stderr)
            return FAILED
        submitsocket.answer(sock, "")
        print(f"submitted for user {user}, to {recipient}", file=sys.stderr)
    return OK


def _given(path: Path) -> Path:
    """A file, or what systemd gives of it to a service that may not read it itself (LoadCredential)."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    given = Path(folder) / path.name if folder else path
    return given if given.exists() else path


def _check_size(octets: bytes) -> None:
    if len(octets) > MESSAGE_OCTETS:
        raise Failed(f"the message has more than {MESSAGE_OCTETS // MIB} MiB")


def _prepared(called: Called, octets: bytes, means: Means) -> tuple[Address, bytes]:
    """The recipient, and the message as it is submitted. Raises Failed."""
    _check_size(octets)
    message = SystemMessage.parse(octets)
    recipient = _recipient(called, message, means.file)
    rewritten = message.rewritten(
        sender=means.file.from_.address,
        name=called.name,
        recipient=recipient,
        date=SystemClock().now(),
        message_id=message_id(SystemRandom().token_bytes(16), means.hostname),
        tls_optional=means.file.require_tls == "no",
    )
    return recipient, rewritten


def _recipient(called: Called, message: SystemMessage, file: Submitting) -> Address:
    """Raises Failed."""
    if called.from_header and called.recipients:
        raise Failed("either -t or a recipient, not both")
    if not called.from_header and not called.recipients:
        raise Failed("no recipient")
    if len(called.recipients) > 1:
        raise Failed(f"a message goes to one recipient here, not to {len(called.recipients)}")
    try:
        text = message.recipient() if called.from_header else called.recipients[0]
        if "@" in text:
            return parse_address(text.removeprefix("<").removesuffix(">"))
    except AddressError as error:
        raise Failed(f"recipient: {error}") from error
    if file.default_destination is None:
        raise Failed(f"recipient {text!r} has no domain, and the configuration no default_destination")
    return file.default_destination.address


def _means(path: Path, *, trusting: bool) -> Means:
    """`trusting`: whoever calls may say by the environment whom to believe. Raises Failed."""
    try:
        return handover.means(submitting.load(path), trusting=trusting)
    except ConfigErrors as errors:
        raise Failed(f"the configuration has errors\n{errors}") from errors
    except HandOverFailed as problem:
        raise Failed(str(problem)) from problem


def _submit(means: Means, recipient: Address, octets: bytes) -> None:
    """Raises Failed."""
    try:
        trio.run(handover.submit, means, [recipient], octets)
    except HandOverFailed as problem:
        raise Failed(str(problem)) from problem


# ---- What was not sent. ----


def _keep(octets: bytes) -> str:
    """Write a message, and what is not yet read of it, to a file in the caller's home; what to say of that."""
    try:
        directory = Path.home() / FAILURES
        directory.mkdir(mode=0o700, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="newmsg.", dir=directory)
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            while more := sys.stdin.buffer.read(_PIECE_OCTETS):
                file.write(more)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        return f"the message is lost, it cannot be kept in ~/{FAILURES}: {error}"
    return f"the message is kept in {name}"
