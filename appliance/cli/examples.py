"""Examples to copy from: parts of configuration files, alert rules, what webhooks post."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from typing import Final

from appliance.cli.main import OK, Failed, Invocation

_WEBHANDLERS: Final = """\
# Web sites, for domains.toml. The first that matches domain and path answers.

# Files of a folder, compressed, at https://www.example.org/.
[[web_handlers]]
log_name = "site"
domain = "www.example.org"
path_regexp = "^/"
compress = true
static.root = "web/www.example.org"
static.response_headers = {"Cache-Control" = "max-age=3600"}

# Everything of another domain goes there; the path stays.
[[web_handlers]]
domain = "example.org"
path_regexp = "^/"
redirect.base_url = "https://www.example.org"

# A program that listens on this machine. What the expression matched is left out of the path.
[[web_handlers]]
log_name = "app"
domain = "app.example.org"
path_regexp = "^/app/"
forward.strip_path = true
forward.url = "http://127.0.0.1:8080"

# A page of the server itself.
[[web_handlers]]
domain = "mail.example.org"
path_regexp = "^/webmail/"
internal.base_path = "/webmail/"
internal.service = "webmail"
"""

_TRANSPORT: Final = """\
# Ways for outgoing mail, for moxpy.toml. Routes choose among them by name.

# A smarthost with a login. The password may stand here, as the file is for the server alone.
[transports.smarthost.submissions]
host = "submit.example.com"
auth.username = "user"
auth.password = "secret"
auth.mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]

# Direct delivery through a SOCKS proxy, with the addresses that others see then.
[transports.tunnel.socks]
address = "127.0.0.1:1080"
remote_ips = ["192.0.2.1"]
remote_hostname = "tunnel.example.org"

# Nothing goes out.
[transports.none.fail]
smtp_code = 554

# In domains.toml, for everybody; domains and accounts may have routes of their own. The first that matches counts.
#
# [[routes]]
# from_domain = ["example.org"]
# to_domain = ["example.com"]
# transport = "smarthost"
"""


def _alerts() -> str:
    return resources.files("appliance.cli").joinpath("files/alerts.yml").read_text()


_CONFIG: Final[dict[str, Callable[[], str]]] = {
    "alerts": _alerts,
    "transport": lambda: _TRANSPORT,
    "webhandlers": lambda: _WEBHANDLERS,
}


def _outgoing(*, failed: bool) -> str:
    from appliance.mail.hookpayload import Event, Outgoing

    return _json(
        Outgoing(
            event=Event.FAILED if failed else Event.DELIVERED,
            dsn=failed,
            suppressing=failed,
            queue_msg_id=101,
            from_id="MDEyMzQ1Njc4OWFiY2RlZg",
            message_id="<QnxzgulZK51utga6agH_rg@mail.example.org>",
            subject="Your order",
            webhook_queued=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            smtp_code=550 if failed else 250,
            smtp_enhanced_code="5.1.1" if failed else "2.0.0",
            error="550 no such user" if failed else "",
            extra={"order": "17"},
        )
    )


def _incoming() -> str:
    from appliance.mail.hookpayload import Incoming, IncomingMeta
    from appliance.mail.told import NameAddress, Structure

    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return _json(
        Incoming(
            from_=(NameAddress("Ada", "ada@remote.example"),),
            to=(NameAddress("", "shop@example.org"),),
            cc=(),
            bcc=(),
            reply_to=(),
            subject="Hello",
            message_id="<Ybj2yNlVNqf8qOWyZXRX6w@remote.example>",
            in_reply_to="",
            references=(),
            date=moment,
            text="hi\n",
            html="",
            structure=Structure("text/plain", {"charset": "utf-8"}, "", "", "", 4, ()),
            meta=IncomingMeta(
                msg_id=201,
                mail_from="ada@remote.example",
                mail_from_validated=True,
                msg_from_validated=True,
                rcpt_to="shop@example.org",
                dkim_verified_domains=("remote.example",),
                remote_ip="192.0.2.9",
                received=moment,
                mailbox_name="Inbox",
                automated=False,
            ),
        )
    )


def _json(payload: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(payload), indent=2).decode() + "\n"


_OTHER: Final[dict[str, Callable[[], str]]] = {
    "webhook-incoming-basic": _incoming,
    "webhook-outgoing-delivered": lambda: _outgoing(failed=False),
    "webhook-outgoing-dsn-failed": lambda: _outgoing(failed=True),
}


def of_config(invocation: Invocation) -> int:
    """Of configuration files."""
    return _show(invocation, _CONFIG)


def other(invocation: Invocation) -> int:
    """Of all else."""
    return _show(invocation, _OTHER)


def _show(invocation: Invocation, known: dict[str, Callable[[], str]]) -> int:
    if not invocation.arguments:
        print("\n".join(known))
        return OK
    name = invocation.arguments[0]
    if name not in known:
        raise Failed(f"there is no example {name!r}; there are: {', '.join(known)}")
    print(known[name](), end="")
    return OK
