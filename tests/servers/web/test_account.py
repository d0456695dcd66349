"""The functions of the account pages, as a browser calls them: what they change, and what they refuse."""

import copy
import dataclasses
import datetime
import json
import tomllib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from appliance.config.source import ConfigSource
from appliance.operations import accounts as verbs
from appliance.servers.web.applications import applications
from appliance.store import mailbox, message
from appliance.store.records import Origin
from support import webhouse
from support.stores import new_message
from support.webserver import response, web_server

NS = 1_000_000_000


@pytest.fixture
async def house(tmp_path):
    extra = '[domains."example.org".aliases.team]\naddresses = ["alice@example.org", "bob@example.org"]\nlist_members = true\n'
    async with webhouse.open_house(tmp_path, webhouse.DOMAINS + extra) as house:
        yield house


@pytest.fixture
async def browser(house):
    return await house.logged_in()


async def account(browser) -> dict[str, Any]:
    return (await browser.call("Account")).result["Config"]


FLAGS = {"Enabled": True, "JunkMailboxRegexp": "^junk", "NeutralMailboxRegexp": None, "NotJunkMailboxRegexp": None}
FILTER = {
    "Threshold": 0.9,
    "Onegrams": True,
    "Twograms": True,
    "Threegrams": False,
    "MaxPower": 0.02,
    "TopWords": 12,
    "IgnoreWords": 0.2,
    "RareWords": 3,
}


@pytest.mark.parametrize(
    ("function", "params", "changed"),
    [
        ("AccountSaveFullName", ["  Jose\u0301 "], {"FullName": "Jos\u00e9"}),
        ("FromIDLoginAddressesSave", [["sales@example.org"]], {"FromIDLoginAddresses": ["sales@example.org"]}),
        (
            "KeepRetiredPeriodsSave",
            [3 * 86400 * NS, None],
            {"KeepRetiredMessagePeriod": 3 * 86400 * NS, "KeepRetiredWebhookPeriod": None},
        ),
        ("AutomaticJunkFlagsSave", [FLAGS], {"AutomaticJunkFlags": FLAGS}),
        ("JunkFilterSave", [FILTER], {"JunkFilter": FILTER}),
        ("JunkFilterSave", [{**FILTER, "Threegrams": True}], {"JunkFilter": FILTER}),
        ("RejectsSave", ["Rejects", True], {"RejectsMailbox": "Rejects", "KeepRejects": True}),
        ("IntroboxSave", ["Intro"], {"Introbox": "Intro"}),
        ("IMAPSave", [["condstore", "QRESYNC", "condstore"]], {"IMAPCapabilitiesDisabled": ["CONDSTORE", "QRESYNC"]}),
    ],
)
async def test_saves(house, browser, tmp_path, function, params, changed):
    before = await account(browser)
    answer = await browser.call(function, *params)
    assert answer.result is None
    assert await account(browser) == {**before, **changed}
    text = (tmp_path / "domains.toml").read_text()
    assert "# Alice's." in text
    assert tomllib.loads(text)["accounts"]["alice"]
    # What is saved as it is shown changes nothing.
    await browser.call(function, *params)
    assert (tmp_path / "domains.toml").read_text() == text


async def test_webhooks(browser):
    for name, save in (("OutgoingWebhook", "OutgoingWebhookSave"), ("IncomingWebhook", "IncomingWebhookSave")):
        assert (
            await browser.call(save, {"URL": "https://hooks.example/x", "Authorization": "Bearer y"})
        ).result is None
        shown = (await account(browser))[name]
        assert (shown["URL"], shown["Authorization"]) == ("https://hooks.example/x", "Bearer y")
        assert (await browser.call(save, shown)).result is None
        assert (await browser.call(save, None)).result is None
        assert (await account(browser))[name] is None


@pytest.mark.parametrize(
    ("function", "params", "message"),
    [
        ("AccountSaveFullName", ["a\nb"], "printable"),
        ("AccountSaveFullName", ["x" * 1000], "200"),
        ("AccountSaveFullName", [None], "FullName: Expected `str`"),
        ("FromIDLoginAddressesSave", [["bob@example.org"]], "fromid_login_addresses"),
        ("FromIDLoginAddressesSave", [["no address"]], "is not an address"),
        ("KeepRetiredPeriodsSave", [-1, None], "Messages: must be a number of nanoseconds"),
        ("KeepRetiredPeriodsSave", ["3d", None], "Messages: must be a number of nanoseconds"),
        ("KeepRetiredPeriodsSave", [10**30, None], "Messages: "),
        ("AutomaticJunkFlagsSave", [{**FLAGS, "JunkMailboxRegexp": "(a"}], "Flags.JunkMailboxRegexp: "),
        ("AutomaticJunkFlagsSave", [{**FLAGS, "Junk": "(a"}], "unknown field `Junk`"),
        ("JunkFilterSave", [{**FILTER, "Threshold": 2}], "threshold"),
        ("JunkFilterSave", [{}], "missing required field `Threshold`"),
        ("RejectsSave", ["a//b", False], "Mailbox: must not have an empty"),
        ("RejectsSave", ["Other Users/bob", False], "Mailbox: must not begin"),
        ("IntroboxSave", ["\x00"], "control characters"),
        ("IntroboxSave", ["e\u0301\u0316" * 60_000], "Mailbox: is too long"),
        ("AccountSaveFullName", ["e\u0301\u0316" * 60_000], "200"),
        ("FromIDLoginAddressesSave", [["a@example.org"] * 5000], "at most 500"),
        ("IMAPSave", [["X"] * 5000], "at most 500"),
        ("IMAPSave", [["not one"]], "capability"),
        ("OutgoingWebhookSave", [{"URL": "ftp://x"}], "Webhook.URL: must be an absolute http"),
        ("OutgoingWebhookSave", [{"URL": "https://x", "Events": ["exploded"]}], "Webhook.Events[0]: Invalid enum"),
        ("IncomingWebhookSave", [{}], "missing required field `URL`"),
        ("SuppressionAdd", ["no address"], "is not an address"),
        ("SuppressionRemove", ["x@example.com"], ""),
        ("SetPassword", ["short"], "at least 8"),
        ("SetPassword", ["bell\x07" * 3], "not allowed"),
        ("AppPasswordAdd", [""], "label"),
        ("AppPasswordAdd", ["x", ["telnet"]], "telnet"),
        ("AppPasswordAdd", ["x", []], "protocol"),
        ("AppPasswordRemove", [99], "no app password 99"),
        ("TLSPublicKeyRemove", ["x"], "no fingerprint"),
        ("TLSPublicKeyAdd", ["alice@example.org", "", False, "nothing"], "no PEM block"),
        ("SessionRemove", ["x"], "no such session"),
        ("LoginAttempts", ["x"], "Limit"),
    ],
)
async def test_refusals(house, browser, tmp_path, function, params, message):
    before = (tmp_path / "domains.toml").read_text()
    answer = await browser.call(function, *params)
    assert answer.code == "user:error"
    assert message in answer.message
    assert (tmp_path / "domains.toml").read_text() == before


async def test_destination_is_saved_only_as_it_was_shown(browser, tmp_path):
    old = (await account(browser))["Destinations"]["sales@example.org"]
    rule = {"MsgFromRegexp": "^boss@", "Mailbox": "Boss", "HeadersRegexp": {"^subject$": "urgent"}}
    new = {**copy.deepcopy(old), "Mailbox": "Sales", "Rulesets": [rule], "SMTPError": None}
    assert (await browser.call("DestinationSave", "sales@example.org", old, new)).result is None
    saved = (await account(browser))["Destinations"]["sales@example.org"]
    assert saved["Mailbox"] == "Sales"
    assert saved["Rulesets"][0]["HeadersRegexp"] == {"^subject$": "urgent"}
    assert tomllib.loads((tmp_path / "domains.toml").read_text())["accounts"]["alice"]["destinations"][
        "sales@example.org"
    ]["rulesets"] == [{"msg_from_regexp": "^boss@", "mailbox": "Boss", "headers_regexp": {"^subject$": "urgent"}}]
    again = await browser.call("DestinationSave", "sales@example.org", old, {**new, "FullName": "x"})
    assert "changed meanwhile" in again.message
    assert (await browser.call("DestinationSave", "sales@example.org", saved, old)).result is None
    assert "is not an address" in (await browser.call("DestinationSave", "bob@example.org", old, new)).message
    wrong = {**new, "Rulesets": [{**rule, "MsgFromRegexp": "(a"}]}
    assert (
        "New.Rulesets[0].MsgFromRegexp"
        in (await browser.call("DestinationSave", "sales@example.org", old, wrong)).message
    )
    lazy = {**new, "Rulesets": [{"Mailbox": "x"}]}
    assert "ruleset" in (await browser.call("DestinationSave", "sales@example.org", old, lazy)).message


async def test_password(house, browser):
    other = await house.logged_in()
    new = (await browser.call("GeneratePassword")).result
    assert len(new) == 12
    assert (await browser.call("Version")).result
    assert (await other.call("Version")).code == "user:badAuth"
    assert (await other.log_in(new)).result
    assert (await other.call("SetPassword", "chosen by myself")).result is None
    assert (await browser.call("Version")).code == "user:badAuth"
    assert (await browser.log_in(new)).code == "user:loginFailed"
    assert (await browser.log_in("chosen by myself")).result


async def test_generated_passwords_only(tmp_path, autojump_clock):
    domains = webhouse.DOMAINS.replace("[accounts.alice]\n", "[accounts.alice]\nno_custom_password = true\n")
    async with webhouse.open_house(tmp_path, domains) as house:
        browser = await house.logged_in()
        assert "generated" in (await browser.call("SetPassword", "chosen by myself")).message
        assert (await browser.call("GeneratePassword")).result


async def test_app_passwords(house, browser):
    new = (await browser.named("AppPasswordAdd", Label="phone", Protocols=["imap"], ExpiresIn=3600 * NS)).result
    (listed,) = (await browser.call("AppPasswordList")).result
    assert (listed["ID"], listed["Label"], listed["Protocols"]) == (new["ID"], "phone", ["imap"])
    assert listed["Expires"] == (house.clock.now() + datetime.timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert listed["LastUsed"] is None
    # It does not open these pages.
    assert (await house.browser().log_in(new["Password"])).code == "user:loginFailed"
    assert (await browser.call("AppPasswordRemove", new["ID"])).result is None
    assert (await browser.call("AppPasswordList")).result == []


async def test_sessions(house, browser):
    others = [await house.logged_in(address=f"198.51.100.{number}") for number in range(2)]
    listed = (await browser.call("Sessions")).result
    assert [one["IsCurrent"] for one in listed].count(True) == 1
    assert {one["RemoteIP"] for one in listed} == {"192.0.2.1", "198.51.100.0", "198.51.100.1"}
    gone = next(one for one in listed if one["RemoteIP"] == "198.51.100.0")
    assert (await browser.call("SessionRemove", gone["ID"])).result is None
    assert (await others[0].call("Version")).code == "user:badAuth"
    bob = house.browser()
    await bob.log_in(user="bob@example.org")
    current = next(one for one in (await others[1].call("Sessions")).result if one["IsCurrent"])
    assert "no such session" in (await bob.call("SessionRemove", current["ID"])).message
    assert (await browser.call("SessionsRemoveOthers")).result is None
    assert (await others[1].call("Version")).code == "user:badAuth"
    assert (await browser.call("Version")).result
    assert (await bob.call("Version")).result


def certificate() -> tuple[str, str]:
    """A certificate and its private key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "laptop")])
    now = datetime.datetime(2026, 1, 1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + datetime.timedelta(days=9)).sign(
        key, SHA256()
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), private.decode()


async def test_tls_public_keys(house, browser):
    public, private = certificate()
    for pem in (private, public + private, private + public):
        answer = await browser.call("TLSPublicKeyAdd", "alice@example.org", "", False, pem)
        assert "private key" in answer.message
    assert "is not an address" in (await browser.call("TLSPublicKeyAdd", "bob@example.org", "", False, public)).message
    added = (await browser.call("TLSPublicKeyAdd", "alice@example.org", "", False, public)).result
    assert (added["Name"], added["Type"], added["LoginAddress"]) == ("laptop", "ecdsa-p256", "alice@example.org")
    key = added["Fingerprint"]
    changed = await browser.call("TLSPublicKeyUpdate", key, "sales@example.org", "desk", True)
    assert (await browser.call("TLSPublicKeys")).result == [changed.result]
    assert (changed.result["Name"], changed.result["NoIMAPPreauth"]) == ("desk", True)
    bob = house.browser()
    await bob.log_in(user="bob@example.org")
    assert (await bob.call("TLSPublicKeys")).result == []
    assert "no TLS public key" in (await bob.call("TLSPublicKeyRemove", key)).message
    assert "no TLS public key" in (await bob.call("TLSPublicKeyUpdate", key, "bob@example.org", "", False)).message
    assert "is not an address" in (await browser.call("TLSPublicKeyUpdate", key, "bob@example.org", "", False)).message
    assert (await browser.call("TLSPublicKeyRemove", key)).result is None
    assert (await browser.call("TLSPublicKeys")).result == []


async def test_suppressions(browser):
    added = (await browser.call("SuppressionAdd", "Some.One+x@Example.com", "asked for it")).result
    assert added["Manual"]
    assert added["BaseAddress"] == "someone@example.com"
    assert (await browser.call("SuppressionList")).result == [added]
    assert "already" in (await browser.call("SuppressionAdd", "some.one@example.com")).message
    assert (await browser.call("SuppressionRemove", "some.one@example.com")).result is None
    assert (await browser.call("SuppressionList")).result == []


async def test_vacation(browser):
    shown = (await browser.call("VacationGet")).result
    assert shown == {
        "Enabled": False, "Start": None, "End": None, "Subject": None, "Text": None, "HTML": None, "Days": 7,
    }  # fmt: skip
    new = {**shown, "Enabled": True, "Start": "2026-12-24T00:00:00Z", "Text": "Gone.", "Days": 3}
    assert (await browser.call("VacationSave", new)).result is None
    assert (await browser.call("VacationGet")).result == new
    assert "60 days" in (await browser.call("VacationSave", {**new, "Days": 61})).message


async def test_aliases_and_attempts(house, browser):
    (alias,) = (await browser.call("Aliases")).result
    assert alias["Alias"] == "team@example.org"
    assert alias["SubscriptionAddresses"] == ["alice@example.org"]
    assert alias["Members"] == ["alice@example.org", "bob@example.org"]
    await house.app.logins.write()
    (attempt,) = (await browser.call("LoginAttempts", 10)).result
    assert (attempt["Protocol"], attempt["AuthMech"], attempt["Result"]) == ("webaccount", "weblogin", "ok")
    assert attempt["Last"].endswith("Z")


async def test_nothing_of_another_account(house, browser):
    """Each function is about whoever is logged in; none takes the name of an account."""
    bob = house.browser()
    await bob.log_in(user="bob@example.org")
    await bob.call("AccountSaveFullName", "Bob")
    assert (await account(browser))["FullName"] == ""
    await verbs.set_password(house.app, "alice", "another password")
    assert (await bob.call("Version")).result


async def test_ruleset_preview(house, browser):
    account = house.number()
    with house.app.store.read() as tx:
        inbox = mailbox.by_name(tx, account, "Inbox").id
    for number in range(30):
        octets = b"Subject: =?utf-8?q?caf=C3=A9?= %d\r\nList-Id: <news.example>\r\n\r\nhello\r\n" % number
        new = new_message(house.app.store, octets)
        origin = Origin(
            remote_ip="192.0.2.1" if number else "",
            mail_from=f"bounce{number}@lists.example",
            msg_from_localpart="news" if number % 2 else "boss",
            msg_from_domain="example.com",
            mail_from_validated=number > 10,
            dkim_domains=("example.com",) if number > 20 else (),
        )
        await house.app.store.write(message.add, account, inbox, replace(new, origin=origin))

    async def matches(**ruleset: Any) -> list[str]:
        answer = (await browser.named("RulesetPreview", Ruleset=ruleset, Limit=500)).result
        assert (answer["LookedAt"], answer["GaveUp"]) == (29, False)
        return [one["Subject"] for one in answer["Matches"]]

    assert await matches(MsgFromRegexp="^boss@") == [f"caf\u00e9 {number}" for number in range(28, 0, -2)]
    assert len(await matches(SMTPMailFromRegexp="^bounce1[0-9]@")) == 10
    assert len(await matches(VerifiedDomain="example.com")) == 9
    assert len(await matches(VerifiedDomain="lists.example")) == 19
    assert len(await matches(HeadersRegexp={"^list-id$": "news"}, MsgFromRegexp="^boss@")) == 14
    few = (await browser.named("RulesetPreview", Ruleset={"MsgFromRegexp": "@"}, Limit=3)).result
    assert (few["LookedAt"], len(few["Matches"])) == (3, 3)
    assert "condition" in (await browser.named("RulesetPreview", Ruleset={"Mailbox": "x"})).message
    assert (
        "no such mailbox"
        in (await browser.named("RulesetPreview", Ruleset={"MsgFromRegexp": "x"}, Mailbox="y")).message
    )


OUTGOING = {
    "Version": 0,
    "Event": "delivered",
    "DSN": False,
    "Suppressing": False,
    "QueueMsgID": 101,
    "FromID": "",
    "MessageID": "<QnxzgulZK51utga6agH_rg@mox.example>",
    "Subject": "subject of original message",
    "WebhookQueued": "2026-03-01T12:00:00Z",
    "SMTPCode": 250,
    "SMTPEnhancedCode": "2.0.0",
    "Error": "",
    "Extra": {"order": "12"},
}
INCOMING = {
    "Version": 0,
    "From": [{"Name": "remote", "Address": "remote@remote.example"}],
    "To": [{"Name": "", "Address": "alice@example.org"}],
    "CC": [],
    "BCC": [],
    "ReplyTo": [],
    "Subject": "test webhook",
    "MessageID": "<QnxzgulZK51utga6agH_rg@remote.example>",
    "InReplyTo": "",
    "References": [],
    "Date": None,
    "Text": "hi\n",
    "HTML": "",
    "Structure": {
        "ContentType": "text/plain",
        "ContentTypeParams": {"charset": "utf-8"},
        "ContentID": "",
        "ContentDisposition": "",
        "Filename": "",
        "DecodedSize": 4,
        "Parts": [],
    },
    "Meta": {
        "MsgID": 201,
        "MailFrom": "remote@remote.example",
        "MailFromValidated": True,
        "MsgFromValidated": True,
        "RcptTo": "alice@example.org",
        "DKIMVerifiedDomains": ["remote.example"],
        "RemoteIP": "127.0.0.1",
        "Received": "2026-03-01T12:00:00Z",
        "MailboxName": "Inbox",
        "Automated": False,
    },
}


async def test_webhooks_are_tried(tmp_path):
    async with webhouse.open_house(tmp_path) as house, web_server(None, response(b"thanks")) as server:
        refused = await house.logged_in()
        url = f"http://127.0.0.1:{server.port}/hook"
        tried = (await refused.call("OutgoingWebhookTest", url, "", OUTGOING)).result
        assert (tried["Success"], tried["Code"]) == (False, 0)
        assert "webhook_networks" in tried["Error"]
        assert server.requests == []

        static = tmp_path / "moxpy.toml"
        static.write_text('webhook_networks = ["127.0.0.1"]\n' + static.read_text())
        app = dataclasses.replace(house.app, config=ConfigSource(static, check_files=False))
        browser = await webhouse.WebHouse(app, house.clock, applications(app)).logged_in()
        for name, payload in (("OutgoingWebhookTest", OUTGOING), ("IncomingWebhookTest", INCOMING)):
            tried = (await browser.call(name, url, "Bearer x", payload)).result
            assert (tried["Success"], tried["Code"], tried["Response"], tried["Error"]) == (True, 200, "thanks", "")
            head, _, body = server.requests.pop().partition(b"\r\n\r\n")
            assert b"Authorization: Bearer x" in head
            assert json.loads(body) == payload
        assert (
            "must be an absolute http" in (await browser.call("OutgoingWebhookTest", "ftp://x", "", OUTGOING)).message
        )
        wrong = {**OUTGOING, "Event": "nonsense"}
        assert "Data.Event" in (await browser.call("OutgoingWebhookTest", url, "", wrong)).message
        split = (await browser.call("OutgoingWebhookTest", url, "x\r\nX-Other: y", OUTGOING)).json
        assert "error" in split or not split["result"]["Success"]
        assert server.requests == []


async def test_webhook_secret(browser):
    secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
    assert (await browser.call("WebhookSecretSave", secret)).result is None
    assert (await account(browser))["WebhookSecret"] == secret
    assert "whsec_" in (await browser.call("WebhookSecretSave", "short")).message
    assert (await browser.call("WebhookSecretSave", None)).result is None
    assert (await account(browser))["WebhookSecret"] is None


async def test_mailboxes(house, browser):
    shown = (await browser.call("Mailboxes")).result
    assert shown[0]["Name"] == "Inbox"
    await house.app.store.write(
        message.add, house.number(), shown[0]["ID"], new_message(house.app.store, b"A: b\r\n\r\n")
    )
    inbox = (await browser.call("Mailboxes")).result[0]
    assert (inbox["Messages"], inbox["Unread"], inbox["Size"] > 0) == (1, 1, True)
    bob = house.browser()
    await bob.log_in(user="bob@example.org")
    assert (await bob.call("Mailboxes")).result[0]["Messages"] == 0


async def test_client_configs(tmp_path, autojump_clock):
    alice = '[accounts.alice.destinations."alice@b\u00fccher.example"]\n'
    domains = webhouse.DOMAINS.replace("[accounts.bob]\n", f'[domains."b\u00fccher.example"]\n{alice}[accounts.bob]\n')
    async with webhouse.open_house(tmp_path, domains) as house:
        browser = await house.logged_in()
        assert [tuple(one.values()) for one in (await browser.call("ClientConfigs")).result] == [
            (domain, "IMAP", "mail.example", 143, "without TLS") for domain in ("example.org", "b\u00fccher.example")
        ]


async def test_apple_profile(tmp_path, browser):
    assert (await browser.call("AppleProfile", "alice@example.org")).result is None
    assert "is not an address" in (await browser.call("AppleProfile", "bob@example.org")).message
    static = tmp_path / "moxpy.toml"
    tls = '[listeners.local.tls]\nkey_certs = [{ cert_file = "a.crt", key_file = "a.key" }]\n'
    static.write_text(f"{static.read_text()}{tls}[listeners.local.autoconfig_https]\nenabled = true\n")
    house = browser.house
    for lines, origin in (
        ("", "mail.example"),
        ("port = 8443\n", "mail.example:8443"),
        ("non_tls = true\n", "mail.example"),
    ):
        (tmp_path / "other.toml").write_text(static.read_text() + lines)
        app = dataclasses.replace(house.app, config=ConfigSource(tmp_path / "other.toml", check_files=False))
        other = await webhouse.WebHouse(app, house.clock, applications(app)).logged_in()
        profile = (await other.call("AppleProfile", "alice@example.org")).result
        assert profile["URL"] == f"https://{origin}/profile.mobileconfig?addresses=alice%40example.org"
        assert profile["QRCode"].startswith("data:image/svg+xml")
