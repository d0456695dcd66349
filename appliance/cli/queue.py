"""Commands about the queue: what waits, what left it, rules that hold messages, and what people do with them."""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from appliance.cli import output, remote
from appliance.cli.commands.queue import HOOK_FILTER, QUEUE_FILTER
from appliance.cli.main import OK, Failed, Invocation, UsageError

#: Flags that go to the server as they are, by their names there.
_TEXTS: Final = ("account", "from", "to", "submitted", "nextattempt", "lastactivity", "transport", "event")
_SWITCHES: Final = {"hold": {"true": True, "false": False}, "result": {"success": True, "failure": False}}
_REQUIRETLS: Final = {"yes": True, "no": False, "default": None}


#: The flags that say which.
FILTERS: Final = frozenset(flag.name for flag in (*QUEUE_FILTER, *HOOK_FILTER))


# Which messages.


def filter(invocation: Invocation) -> dict[str, Any]:
    """What the flags say."""
    wanted: dict[str, Any] = {name: text for name in _TEXTS if (text := invocation.text(name)) is not None}
    if (ids := invocation.text("ids")) is not None:
        wanted["ids"] = [number("--ids", one.strip()) for one in ids.split(",")]
    if (most := invocation.text("n")) is not None:
        wanted["max"] = number("-n", most)
    for name, values in _SWITCHES.items():
        if (text := invocation.text(name)) is not None:
            wanted["success" if name == "result" else name] = _choice(f"--{name}", text, values)
    return wanted


def _order(invocation: Invocation) -> dict[str, Any]:
    return {"sort": invocation.text("sort"), "asc": invocation.given("asc")}


def number(name: str, text: str) -> int:
    """What an argument or a flag says. Raises Failed."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Failed(f"{name}: {text!r} is not a number")
    return int(text)


def _choice(name: str, text: str, values: dict[str, Any]) -> Any:
    if text not in values:
        raise Failed(f"{name} must be one of: {', '.join(values)}")
    return values[text]


# Lists.


def show_list(invocation: Invocation) -> int:
    """Messages that wait."""
    return show(invocation, "queuelist", _row, "messages:")


def show_retired(invocation: Invocation) -> int:
    """Messages that left the queue."""
    return show(invocation, "queueretiredlist", _retired_row, "messages:")


def show(invocation: Invocation, command: str, row: Callable[[dict[str, Any], float], str], heading: str) -> int:
    """A list, as it comes, or as JSON when it is all there; `row` gets an entry and the time."""
    wanted, now = filter(invocation), time.time()
    as_json = invocation.given("json")
    messages: list[dict[str, Any]] = []
    seen = False

    def take(some: list[dict[str, Any]]) -> None:
        nonlocal seen
        if as_json:
            messages.extend(some)
            return
        if not seen:
            print(heading)
        seen = True
        for one in some:
            print(row(one, now))

    remote.call(invocation, command, each=take, filter=wanted, **_order(invocation))
    if as_json:
        output.show(invocation, messages, ())
    elif not seen:
        print("(none)")
    return OK


def _row(one: dict[str, Any], now: float) -> str:
    coming = "on hold" if one["hold"] else relative(one["next_attempt_microseconds"], now)
    return f"{_who(one)} next {coming}{_past(one, now)}"


def _retired_row(one: dict[str, Any], now: float) -> str:
    word = "success" if one["success"] else "failure"
    return f"{_who(one)} {word} {relative(one['last_activity_microseconds'], now)}{_past(one, now)}"


def _who(one: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(one["queued_microseconds"] / 1e6, UTC)
    return f"{one['id']} {when:%Y-%m-%dT%H:%M:%SZ} from:<{one['from']}> to:<{one['to']}>"


def _past(one: dict[str, Any], now: float) -> str:
    text, last = "", one["last_attempt_microseconds"]
    if last is not None:
        text += f" last {relative(last, now)}"
    if one["results"] and not one["results"][-1]["success"]:
        result = one["results"][-1]
        words = (str(result["code"] or ""), result["status"], result["text"])
        text += f" error {json.dumps(' '.join(word for word in words if word), ensure_ascii=False)}"
    return text


def relative(microseconds: int, now: float) -> str:
    """A moment as seen from now: `1h30m`, `-20s`, `now`."""
    seconds = round(microseconds / 1e6 - now)
    if seconds == 0:
        return "now"
    left, parts = abs(seconds), []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + "".join(parts[:2])


def print_retired(invocation: Invocation) -> int:
    """All that is remembered of a message that left the queue."""
    found = remote.call(invocation, "queueretiredprint", id=number("id", invocation.arguments[0]))
    print(json.dumps(found, indent="\t", ensure_ascii=False))
    return OK


def dump(invocation: Invocation) -> int:
    """The octets of a message."""
    remote.call(invocation, "queuedump", id=number("id", invocation.arguments[0]), sink=sys.stdout.buffer.write)
    sys.stdout.buffer.flush()
    return OK


# Changes.


def _change(invocation: Invocation, command: str, word: str = "changed", **arguments: Any) -> int:
    count = remote.call(invocation, command, filter=filter(invocation), **arguments)
    print(f"{count} messages {word}")
    return OK


def hold(invocation: Invocation) -> int:
    """Put messages on hold."""
    return _change(invocation, "queueholdset", hold=True)


def unhold(invocation: Invocation) -> int:
    """Let messages go."""
    return _change(invocation, "queueholdset", hold=False)


def schedule(invocation: Invocation) -> int:
    """Move the next attempt."""
    duration = invocation.arguments[0]
    return _change(invocation, "queueschedule", duration=duration, relnow=invocation.given("now"))


def transport(invocation: Invocation) -> int:
    """Choose by what messages are sent."""
    # --transport is which messages, the argument what they get.
    return _change(invocation, "queuetransport", transport=invocation.arguments[0])


def requiretls(invocation: Invocation) -> int:
    """Say how TLS is demanded."""
    wanted = _choice("the argument", invocation.arguments[0], _REQUIRETLS)
    return _change(invocation, "queuerequiretls", requiretls=wanted)


def fail(invocation: Invocation) -> int:
    """Give messages up; their senders hear it."""
    confirm(invocation, "fail all messages in the queue")
    return _change(invocation, "queuefail", "failed")


def drop(invocation: Invocation) -> int:
    """Remove messages; nobody hears it."""
    confirm(invocation, "drop all messages in the queue")
    return _change(invocation, "queuedrop", "dropped")


def confirm(invocation: Invocation, what: str) -> None:
    """Nobody empties the queue by a slip. Raises UsageError, Failed."""
    if invocation.given("all") or any(invocation.text(name) is not None for name in FILTERS):
        return
    if not sys.stdin.isatty():
        raise UsageError(f"give a filter, or --all to {what}\n{invocation.command.usage}")
    print(f"{what}? Type yes: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise Failed("nothing was done")


# Hold rules.


def show_rules(invocation: Invocation) -> int:
    """Rules that hold messages."""
    rules: list[dict[str, Any]] = remote.call(invocation, "queueholdruleslist")
    output.show(invocation, rules, ["hold rules:", *map(_rule, rules)] if rules else ["(none)"])
    return OK


def _rule(one: dict[str, Any]) -> str:
    named = {"account": "account", "sender_domain": "sender domain", "recipient_domain": "recipient domain"}
    parts = [f"{words} {json.dumps(one[name], ensure_ascii=False)}" for name, words in named.items() if one[name]]
    return f"id {one['id']}: {', '.join(parts) or 'all messages'}"


def add_rule(invocation: Invocation) -> int:
    """Hold messages that match, now and later."""
    id = remote.call(
        invocation,
        "queueholdrulesadd",
        account=invocation.text("account"),
        senderdomain=invocation.text("senderdom"),
        recipientdomain=invocation.text("recipientdom"),
    )
    print(f"added hold rule {id}")
    return OK


def remove_rule(invocation: Invocation) -> int:
    """Hold no new messages by a rule."""
    id = number("id", invocation.arguments[0])
    remote.call(invocation, "queueholdrulesremove", id=id)
    print(f"removed hold rule {id}; what is on hold stays so: moxpy queue unhold")
    return OK
