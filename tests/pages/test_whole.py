"""Webmail, where what it shows depends on what the server truly finds out: rules, safe ways, lists to leave, thousands of
messages; and what is done by the pointer alone."""

import io
import smtplib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from appliance.base.clock import SystemClock
from appliance.mail.mtasts import Mode, Policy
from appliance.store import mailbox, message as messages, offered, policy
from appliance.store.defaults import STORE
from appliance.store.queuerecords import Offered
from appliance.store.records import Origin
from appliance.store.store import Store
from appliance.store.transaction import WriteTx
from pages.test_webmail import PNG, Mail, counted, eventually, message, put
from support import browsing, served
from support.browsing import Tab
from support.stores import new_message

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

MANY = 1500
DAY = 86_400
#: A list that vouches for its way out, which leads to nowhere but this machine.
LIST = (
    b"From: News <news@lists.example>\r\nTo: mox@localhost\r\nSubject: Leave us by a press\r\nMessage-ID: <l1@lists.example>\r\n"
    b"List-Id: <news.lists.example>\r\nList-Unsubscribe: <https://127.0.0.1/leave?1>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; d=lists.example; s=s; h=from:list-unsubscribe:list-unsubscribe-post; bh="
    + b"A" * 43
    + b"=; b=AAAA\r\n\r\nNews\r\n"
)
ORIGIN = Origin(
    remote_ip="192.0.2.1", rcpt_to="mox@localhost", mail_from="news@lists.example", msg_from_localpart="news",
    msg_from_domain="lists.example", msg_from_validated=True, dkim_domains=("lists.example",), reason="no-bad-signals",
)  # fmt: skip


def fill(folder: Path) -> None:
    store = Store(folder, clock=SystemClock(), limits=STORE)

    def add(tx: WriteTx) -> None:
        account = tx.account_id("mox")
        inbox = mailbox.by_name(tx, account, "Inbox")
        one = new_message(store, LIST)
        messages.add(tx, account, inbox.id, msgspec.structs.replace(one, origin=ORIGIN), flags=0)
        (many,) = mailbox.create(tx, account, "Many", limits=STORE.mailbox)
        for number in range(MANY):
            octets = f"From: a@b.example\r\nSubject: Thousands {number}\r\n\r\nx\r\n".encode()
            messages.add(tx, account, many.id, new_message(store, octets), flags=0)
        # Mail went there lately, and the domain demands what its servers can do.
        for domain in ("safe.example", "unsafe.example"):
            is_safe = domain == "safe.example"
            offered.note(tx, account, Offered(domain, tx.now, starttls=True, requiretls=is_safe))
            policy.fetched(tx, domain, "1", Policy(Mode.ENFORCE, 7 * DAY, (f"mx.{domain}",)), used=True)

    try:
        store.write_sync(add)
        assert store.verify() == []
    finally:
        store.close()


@pytest.fixture(scope="module")
def house(browser: "Browser", moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("whole") / "local", fill=fill) as house:
        yield house


@pytest.fixture
def mail(tab: Callable[..., Tab]) -> Callable[..., Mail]:
    def open_mail(place: str = "Inbox", **options: Any) -> Mail:
        one = tab("webmail", None, **options)
        one.page.goto(f"{one.root}#{place}")
        one.enter()
        one.logged_in()
        return Mail(one)

    return open_mail


def send(house: served.House, subject: str) -> None:
    """To oneself, so that something vouches for the sender."""
    with smtplib.SMTP("localhost", house.submission, timeout=10) as client:
        client.login(house.user, house.password)
        client.send_message(message(subject, house.user), house.user, [house.user])


def choose(page: Mail, name: str) -> None:
    page.page.get_by_role("menuitem", name=name).click()


def move(page: Mail, subject: str, to: str) -> None:
    """By the menu of the row."""
    page.row(subject).click(button="right")
    choose(page, "Move to…")
    page.page.get_by_role("combobox", name="Move to").fill(to)
    page.keys("Enter")
    page.tab.told(f"moved to {to}")


def test_a_rule_after_moving(house, mail):
    send(house, "Rule: the first")
    page = mail()
    page.row("Rule: the first").wait_for()
    page.tab.press("New mailbox")
    page.tab.fill({"Name": "Notes"})
    page.tab.press("Create")
    page.mailbox("Notes").wait_for()
    move(page, "Rule: the first", "Notes")
    question = page.page.get_by_role("dialog", name="A rule for such messages")
    question.get_by_text("Always deliver mail of mox@localhost to Notes?").wait_for()
    question.get_by_role("button", name="Always").click()
    page.tab.told("Rule added")
    send(house, "Rule: the second")
    eventually(lambda: counted(house, "Notes", "SUBJECT", '"Rule: the second"') == 1, page.tab)
    # The way back takes it away.
    page.mailbox("Notes").click()
    page.row("Rule: the second").wait_for()
    move(page, "Rule: the second", "Inbox")
    question.get_by_text("Remove the rule that brings mail of mox@localhost to Notes?").wait_for()
    question.get_by_role("button", name="Remove rule").click()
    page.tab.told("Rule removed")
    send(house, "Rule: the third")
    eventually(lambda: counted(house, "INBOX", "SUBJECT", '"Rule: the third"') == 1, page.tab)
    # And whoever does not want to be asked is not.
    page.mailbox("Inbox").click()
    move(page, "Rule: the third", "Notes")
    question.get_by_role("button", name="Never for this sender").click()
    page.tab.told("It will not be asked again")
    question.wait_for(state="detached")


def test_verified_tls_is_chosen_where_all_can_keep_to_it(house, mail):
    page = mail()
    page.tab.press("Compose")
    window = page.page.locator("section.compose")
    field = window.get_by_role("combobox", name="To")
    choice = window.locator(".tls select")
    field.fill("ann@safe.example")
    field.press("Enter")
    window.locator(".tls.require").wait_for()
    assert choice.input_value() == "require"
    # One who cannot is one too many.
    field.fill("bob@unsafe.example")
    field.press("Enter")
    window.locator(".tls.default").wait_for()
    window.get_by_role("button", name="Remove bob@unsafe.example").click()
    window.locator(".tls.require").wait_for()
    # What was chosen stays.
    choice.select_option("default")
    field.fill("chen@safe.example")
    field.press("Enter")
    window.get_by_text("chen@safe.example").wait_for()
    assert choice.input_value() == "default"
    window.get_by_role("button", name="Close", exact=True).click()
    page.tab.press("Remove draft")
    window.wait_for(state="detached")


def test_a_list_that_cannot_be_told(house, mail):
    page = mail()
    reader = page.open("Leave us by a press")
    reader.get_by_text("News", exact=True).last.wait_for()
    reader.get_by_role("button", name="More about this message").first.click()
    choose(page, "Unsubscribe…")
    page.tab.dialog("Unsubscribe?")
    page.tab.press("Unsubscribe")
    failed = page.tab.dialog("The sender could not be told")
    failed.get_by_text("its server could not be reached").wait_for()
    failed.get_by_role("button", name="Cancel").click()
    page.tab.closed()


@browsing.only_chromium("loses what is downloaded")
def test_all_attachments_as_zip(house, mail):
    letter = message("Zip: two files")
    letter.add_attachment(PNG, maintype="image", subtype="png", filename="plan.png")
    letter.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="fig:ures.csv")
    put(house, [letter], flags="\\Seen")
    page = mail()
    reader = page.open("Zip: two files")
    with page.page.expect_download() as download:
        reader.get_by_role("link", name="All as zip").click()
    assert download.value.suggested_filename.endswith(".zip")
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as packed:
        assert packed.testzip() is None
        assert [packed.read(one) for one in packed.infolist()] == [PNG, b"a,b\n"]
        assert all("/" not in one.filename and ":" not in one.filename for one in packed.infolist())


def test_hovering_and_the_menu_of_a_row(house, mail):
    put(house, [message(f"Hover: {name}") for name in ("one", "two", "three")])
    page = mail("search subject:Hover:")
    row = page.row("Hover: three")
    row.hover()
    row.get_by_title("Mark as read").click()
    eventually(lambda: counted(house, "INBOX", "SEEN", "SUBJECT", '"Hover: three"') == 1, page.tab)
    row.get_by_title("Flag", exact=True).click()
    eventually(lambda: counted(house, "INBOX", "FLAGGED", "SUBJECT", '"Hover: three"') == 1, page.tab)
    # None of it opened the message.
    assert page.page.url.endswith("subject:Hover:")
    row.get_by_title("Archive").click()
    eventually(lambda: counted(house, "Archive", "SUBJECT", '"Hover: three"') == 1, page.tab)
    page.row("Hover: two").click(button="right")
    page.page.get_by_role("menuitem", name="Flag", exact=True).click()
    eventually(lambda: counted(house, "INBOX", "FLAGGED", "SUBJECT", '"Hover: two"') == 1, page.tab)
    # What is chosen is meant, where the menu opens on one of it.
    page.row("Hover: one").click(modifiers=["Control"])
    page.row("Hover: two").click(modifiers=["Control"])
    page.page.get_by_text("2 chosen").wait_for()
    page.row("Hover: one").click(button="right")
    choose(page, "To the trash")
    eventually(lambda: counted(house, "Trash", "SUBJECT", '"Hover:"') == 2, page.tab)


def test_thousands(house, mail):
    page = mail("Many")
    page.row("Thousands").wait_for()
    page.page.locator("#messages").focus()
    page.keys("Control+a")
    page.page.get_by_text(f"All {MANY:,} chosen").wait_for()
    page.keys("m")
    eventually(lambda: counted(house, "Many", "UNSEEN") == 0, page.tab)
    eventually(lambda: page.mailbox("Many").locator(".count").count() == 0, page.tab)
    page.page.locator("#messages").focus()
    page.keys("Control+a", "a")
    eventually(lambda: counted(house, "Archive", "SUBJECT", "Thousands") == MANY, page.tab)
    page.page.get_by_text("There are no messages here").wait_for()
    page.tab.press("Undo", page.page.locator(".toast").filter(has_text="moved to Archive"))
    eventually(lambda: counted(house, "Many") == MANY, page.tab)
    page.row("Thousands").wait_for()
