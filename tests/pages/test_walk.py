"""What an operator has to do in the first week, by pages alone: a domain, an account, an alias that forwards; why a
message waits, and why another was refused."""

import imaplib
import smtplib

import pytest

pytestmark = pytest.mark.slow


def test_walk(house, tab):
    admin = tab("admin")
    # A domain, and with it an account.
    admin.go("domains")
    admin.open("Add domain", "Add domain")
    admin.fill({"Domain": "news.example", "Account": "dora"})
    admin.fill({"Localpart": "dora"})
    admin.press("Add domain")
    admin.page.wait_for_url("**/#/domains/news.example/dns")
    for name in ("_dmarc.news.example", "mta-sts.news.example", "10 localhost."):
        admin.row(name)
    admin.press("Look up")
    admin.page.get_by_role("cell", name="missing").first.wait_for()
    # Another account; its password is made by the page.
    admin.go("accounts")
    admin.open("Add account", "Add account")
    admin.fill({"Localpart": "eve"})
    admin.choose("Domain", "news.example")
    admin.press("Add account")
    admin.page.wait_for_url("**/#/accounts/eve/login")
    admin.press("Generate one")
    password = admin.card("Password").locator("code").inner_text()
    assert len(password) == 12
    admin.press("Set password")
    admin.told("Password set")
    # An alias with both, and an address elsewhere.
    admin.go("domains/news.example/addresses")
    admin.press("Add alias", admin.card("Aliases"))
    admin.dialog("Add alias")
    admin.fill({"Localpart": "team", "Members": "dora@news.example\neve@news.example"})
    admin.area.get_by_label("Anybody may write to it").check()
    admin.press("Add alias")
    admin.row("team@news.example").get_by_role("link").first.click()
    admin.page.wait_for_url("**/#/aliases/news.example/team")
    admin.press("Add addresses", admin.card("Forwarded to"))
    admin.fill({"Addresses": "queuetemperror@elsewhere.example"})
    admin.press("Add")
    admin.closed()
    admin.row("queuetemperror@elsewhere.example")

    # Mail to the alias arrives at its members and goes on; mail of an account waits, or is refused.
    with smtplib.SMTP("localhost", house.smtp, timeout=60) as client:
        note = b"From: <grace@elsewhere.example>\r\nSubject: Hello to all of you\r\nMessage-ID: <1@elsewhere.example>\r\n\r\nhi\r\n"
        client.sendmail("grace@elsewhere.example", ["team@news.example"], note)
    with smtplib.SMTP("localhost", house.submission, timeout=60) as client:
        client.login(house.user, house.password)
        message = f"From: <{house.user}>\r\nTo: <queue550@elsewhere.example>\r\nSubject: To nobody\r\n\r\nhi\r\n"
        client.sendmail(house.user, ["queue550@elsewhere.example"], message.encode())

    # Why does it wait?
    admin.go("queue?to=queuetemperror")
    for _ in range(50):
        waiting = admin.row("queuetemperror@elsewhere.example")
        if "as the address asks" in waiting.inner_text():
            break
        admin.press("Refresh")
        admin.settled()
    waiting.locator("[data-leads]").click()
    text = admin.dialog("Hello to all of you").inner_text()
    assert "451 4.0.0" in text
    assert "failure as the address asks for" in text
    admin.press("Close")
    # Why was the other refused?
    admin.go("retired?to=queue550")
    admin.row("queue550@elsewhere.example").locator("[data-leads]").click()
    text = admin.dialog("To nobody").inner_text()
    assert "550 5.0.0" in text
    assert "failure as the address asks for" in text
    admin.press("Close")

    # And mail that somebody says he sent, and never came?
    with smtplib.SMTP("localhost", house.smtp, timeout=60) as client:
        client.ehlo("mx.elsewhere.example")
        client.mail("grace@elsewhere.example")
        code, reply = client.rcpt("rcpttopermerror@news.example")
        assert code == 550
    admin.go("refused")
    admin.page.get_by_label("Filter by id of the reply").fill(reply.decode().split()[-1])
    admin.gone("offers@shop.example")
    admin.refreshed("rcpttopermerror@news.example").locator("[data-leads]").click()
    text = admin.dialog("From grace@elsewhere.example").inner_text()
    assert "What helps:" in text
    assert "failure 550 as the address" in text
    assert "mx.elsewhere.example" in text
    admin.press("Close")

    # The new account can be used, and has the mail.
    with imaplib.IMAP4("localhost", house.imap, timeout=60) as client:
        client.login("eve@news.example", password)
        assert client.select("INBOX") == ("OK", [b"1"])
    account = tab("account", place=None)
    account.log_in(address="eve@news.example", password=password)
    account.settled()
    account.page.get_by_role("heading", name="eve@news.example").wait_for()
    account.row("team@news.example")
