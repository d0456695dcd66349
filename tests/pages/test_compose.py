"""Writing mail in webmail: what is typed arrives, octet for octet; drafts, answers, undo, sending later, vacation.

All mail of `moxpy localserve` ends in one account, whoever it is for, so that what arrives is read there by IMAP.
"""

import email
import imaplib
import re
import smtplib
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import hostilehtml, served
from support.browsing import PATIENCE, Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = pytest.mark.slow

PDF = b"%PDF-1.4 \x00\xff\r\n\n." * 1000
#: The smallest there is.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63fccfc0500f000485018084a98c21"
    "0000000049454e44ae426082"
)
SECONDS = 30


@pytest.fixture(scope="module")
def house(browser: "Browser", moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    """One that sends at once what nobody takes back."""
    with served.running(moxpy, tmp_path_factory.mktemp("compose") / "local") as house:
        yield house


def letter(subject: str, **fields: str) -> EmailMessage:
    """One from Anna, in text and HTML with a picture, with two files."""
    made = EmailMessage(policy=SMTP)
    made["From"] = "Anna Meier <anna@b.example>"
    made["To"] = "mox@localhost, Bob <bob@c.example>"
    made["Cc"] = "carla@d.example"
    made["Subject"] = subject
    made["Message-ID"] = f"<{re.sub(r'[^a-z]', '', subject.lower())}@b.example>"
    made["Date"] = "Thu, 26 Nov 2026 10:46:00 +0000"
    for name, value in fields.items():
        made[name.replace("_", "-")] = value
    made.set_content("Hello Mox,\n\nhere are the plans.\n\n-- \nAnna Meier\n")
    made.add_alternative(
        '<p style="color: #204080">Hello <b>Mox</b>, <script>alert(1)</script><img src="cid:pic@b.example"> plans.</p>',
        subtype="html",
    )
    html = made.get_payload()[1]
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid="<pic@b.example>", filename="pic.png")
    made.add_attachment(PDF, maintype="application", subtype="pdf", filename="pläne.pdf")
    made.add_attachment("a;b\n", subtype="csv", filename="table.csv")
    return made


class Mail:
    """The account, by the other doors."""

    def __init__(self, house: served.House) -> None:
        self.house = house

    def deliver(self, message: EmailMessage) -> None:
        with smtplib.SMTP(self.house.host, self.house.smtp) as smtp:
            smtp.sendmail("anna@b.example", ["mox@localhost"], message.as_bytes())
        self.arrived(message["Subject"])

    def all(self, mailbox: str = "Inbox") -> list[tuple[set[str], EmailMessage]]:
        with imaplib.IMAP4(self.house.host, self.house.imap) as imap:
            imap.login(self.house.user, self.house.password)
            if imap.select(mailbox, readonly=True)[0] != "OK":
                return []
            _, answers = imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")  # No error where there are none.
        found = []
        for one in answers:
            if isinstance(one, tuple):
                flags = re.search(rb"FLAGS \(([^)]*)\)", one[0])
                message = email.message_from_bytes(one[1], policy=default)
                assert isinstance(message, EmailMessage)
                found.append((set(flags[1].decode().split()) if flags else set(), message))
        return found

    def of(self, subject: str, mailbox: str = "Inbox") -> list[EmailMessage]:
        return [message for _, message in self.all(mailbox) if message["Subject"] == subject]

    def flags(self, subject: str, mailbox: str = "Inbox") -> set[str]:
        return next(flags for flags, message in self.all(mailbox) if message["Subject"] == subject)

    def until(self, happens: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not happens():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def arrived(self, subject: str) -> EmailMessage:
        self.until(lambda: self.of(subject) != [])
        return self.of(subject)[0]


@pytest.fixture
def mail(house: served.House) -> Mail:
    return Mail(house)


@pytest.fixture
def webmail(tab: Callable[..., Tab]) -> Callable[..., Tab]:
    """Opens it with settings of the account."""

    def open_webmail(*, html: bool = False, undo: int = 0, quoting: str = "auto", **options: Any) -> Tab:
        opened = tab("webmail", None, **options)
        opened.page.goto(opened.root)
        opened.enter()
        opened.logged_in()
        settings = opened.page
        if "viewport" in options:
            opened.press("Account mox@localhost")
            settings.get_by_role("menuitem", name="Settings").click()
        else:
            opened.press("Settings")
        settings.get_by_role("tab", name="Writing").click()
        opened.choose("New messages", "html" if html else "text")
        opened.choose("Sending can be undone for", str(undo))
        opened.choose("Replies quote", quoting)
        if settings.locator(".savebar").count():
            opened.press("Save")
            opened.saved()
        opened.press("Close")
        opened.closed()
        return opened

    return open_webmail


def window(tab: Tab) -> "Locator":
    """What is written in."""
    found = tab.page.locator("section.compose")
    found.wait_for()
    return found


def compose(tab: Tab, subject: str, to: str = "bob@c.example") -> "Locator":
    """Begin one."""
    tab.press("Compose")
    inside = window(tab)
    recipient(inside, "To", to)
    inside.get_by_label("Subject").fill(subject)
    return inside


def recipient(inside: "Locator", field: str, text: str) -> None:
    one = inside.get_by_role("combobox", name=field)
    one.fill(text)
    one.press("Enter")


def body(inside: "Locator") -> "Locator":
    found = inside.get_by_role("textbox", name="Message", exact=True)
    found.wait_for()
    return found


def read(tab: Tab, subject: str) -> None:
    """Open a message of the Inbox."""
    tab.page.locator("[role=option]").filter(has_text=subject).first.click()
    tab.page.locator("article.mail").first.wait_for()


def drafts(tab: Tab) -> None:
    tab.page.get_by_role("navigation", name="Mailboxes").get_by_role("link", name="Drafts").click()


def answer(tab: Tab, subject: str, key: str) -> "Locator":
    read(tab, subject)
    tab.page.keyboard.press(key)
    return window(tab)


def sent(tab: Tab) -> None:
    """Press Send; until it is sent."""
    window(tab).get_by_role("button", name="Send", exact=True).click()
    tab.page.locator("section.compose").wait_for(state="detached")
    tab.told("Sent")


def saved(inside: "Locator") -> None:
    inside.get_by_text("Draft saved").wait_for(timeout=PATIENCE)


def save(inside: "Locator") -> None:
    """Without waiting until it is saved by itself."""
    inside.press("Control+s")
    saved(inside)


def chips(inside: "Locator", field: str) -> list[str]:
    return inside.locator(f"[data-field={field}] .recipient .text").all_inner_texts()


def files(message: EmailMessage) -> dict[str, bytes]:
    return {one.get_filename() or "": one.get_payload(decode=True) for one in message.iter_attachments()}  # type: ignore[misc]


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_plain_text_with_a_file(webmail, mail):
    tab = webmail()
    inside = compose(tab, "Plain ünd simple")
    recipient(inside, "To", '"Doe, Jöhn" <john@c.example>')
    body(inside).fill("Grüße,\n\n> quoted\n.\nFrom here\n")
    tab.page.set_input_files(
        "input[aria-label='Files to attach']", [{"name": "pläne.pdf", "mimeType": "application/pdf", "buffer": PDF}]
    )
    inside.get_by_text("100%").wait_for(state="detached")
    sent(tab)
    one = mail.arrived("Plain ünd simple")
    assert one["To"].addresses[1].display_name == "Doe, Jöhn"
    assert text_of(one) == "Grüße,\n\n> quoted\n.\nFrom here\n"
    assert files(one) == {"pläne.pdf": PDF}
    assert not one.defects
    (kept,) = mail.of("Plain ünd simple", "Sent")
    assert text_of(kept) == text_of(one)
    assert "\\Draft" not in mail.flags("Plain ünd simple", "Sent")
    assert mail.of("Plain ünd simple", "Drafts") == []


def test_html_with_a_picture(webmail, mail):
    tab = webmail(html=True)
    inside = compose(tab, "With looks")
    body(inside).click()
    keys = tab.page.keyboard
    keys.type("Hello ")
    keys.press("Control+b")
    keys.type("bold")
    keys.press("Control+b")
    inside.get_by_role("button", name="Colour", exact=True).click()
    inside.get_by_role("button", name="red", exact=True).click()
    keys.type(" red")
    keys.press("Enter")
    tab.page.set_input_files("input[aria-label=Pictures]", [{"name": "x.png", "mimeType": "image/png", "buffer": PNG}])
    inside.locator(".htmlbody img[src]").wait_for()
    save(inside)
    sent(tab)
    one = mail.arrived("With looks")
    assert one.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in one.walk()] == [
        *("multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png")
    ]
    assert text_of(one).startswith("Hello bold red\n[x.png]")
    html = text_of(one, "html")
    assert "<b>bold</b>" in html
    assert re.search(r'<span[^>]*style="color: ?#c0271d"[^>]*> red', html)
    (image,) = (part for part in one.walk() if part.get_content_type() == "image/png")
    assert image.get_payload(decode=True) == PNG
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html


def test_bcc_is_not_told(webmail, mail):
    tab = webmail()
    inside = compose(tab, "Blind")
    inside.get_by_role("button", name="Bcc").click()
    recipient(inside, "Bcc", "carl@secret.example")
    body(inside).fill("x")
    sent(tab)
    one = mail.arrived("Blind")
    assert one["Bcc"] is None
    assert [name for name, value in one.items() if "secret.example" in str(value)] in ([], ["Delivered-To"])
    (kept,) = mail.of("Blind", "Sent")
    assert kept["Bcc"] == "carl@secret.example"


def test_reply(webmail, mail):
    mail.deliver(letter("Question one"))
    tab = webmail()
    inside = answer(tab, "Question one", "r")
    assert chips(inside, "to") == ["Anna Meier"]
    assert (
        body(inside).input_value().startswith("\n\nOn 26 Nov 2026 at 10:46, Anna Meier wrote:\n> Hello Mox,\n>\n> here")
    )
    assert "Anna Meier\n" not in body(inside).input_value().split("wrote:")[1]
    tab.page.keyboard.type("Yes.")
    sent(tab)
    one = mail.arrived("Re: Question one")
    assert one["In-Reply-To"] == "<questionone@b.example>"
    assert one["References"] == "<questionone@b.example>"
    assert text_of(one).startswith("Yes.\n\nOn 26 Nov 2026")
    mail.until(lambda: "\\Answered" in mail.flags("Question one"))


def test_reply_to_all_in_html(webmail, mail):
    mail.deliver(letter("Question two"))
    tab = webmail(html=True)
    inside = answer(tab, "Question two", "R")
    assert chips(inside, "to") == ["Anna Meier", "Bob"]
    assert chips(inside, "cc") == ["carla@d.example"]
    body(inside).locator("img[src*=download]").wait_for()
    tab.page.keyboard.type("All of you.")
    sent(tab)
    one = mail.arrived("Re: Question two")
    html = text_of(one, "html")
    assert "alert" not in html
    assert "All of you." in html.split("<blockquote")[0]
    assert 'src="cid:pic@b.example"' in html
    assert "color: rgb(32, 64, 128)" in html
    (image,) = (part for part in one.walk() if part.get_content_type() == "image/png")
    assert image.get_payload(decode=True) == PNG
    assert "> Hello Mox," in text_of(one)


def test_send_and_archive(webmail, mail):
    mail.deliver(letter("Done with"))
    tab = webmail()
    inside = answer(tab, "Done with", "r")
    tab.page.keyboard.type("Fine.")
    inside.press("Control+Shift+Enter")
    tab.told("Sent")
    mail.until(lambda: len(mail.of("Done with", "Archive")) == 1)
    assert "\\Seen" in mail.flags("Done with", "Archive")
    assert mail.of("Done with") == []


def test_signature_of_an_address(webmail, mail):
    tab = webmail(html=True)
    tab.press("Settings")
    tab.page.get_by_role("tab", name="Addresses and signatures").click()
    tab.press("Edit")
    dialog = tab.dialog("mox@localhost")
    dialog.get_by_label("Name").fill("Moxie Fox")
    field = dialog.get_by_role("textbox", name="Signature with formatting")
    field.click()
    tab.page.keyboard.press("Control+b")
    tab.page.keyboard.type("Moxie")
    dialog.get_by_role("button", name="Make the plain one of it").click()
    assert dialog.get_by_label("Signature in plain text").input_value() == "Moxie"
    tab.press("Save")
    tab.told("Saved")
    tab.press("Close")
    inside = compose(tab, "Signed")
    assert body(inside).locator(".signature b").inner_text() == "Moxie"
    body(inside).press("Control+Home")
    tab.page.keyboard.type("Hello")
    sent(tab)
    one = mail.arrived("Signed")
    assert str(one["From"]) == "Moxie Fox <mox@localhost>"
    assert text_of(one).strip() == "Hello\n\nMoxie"
    tab.press("Settings")
    tab.page.get_by_role("tab", name="Addresses and signatures").click()
    tab.press("Edit")
    dialog = tab.dialog("mox@localhost")
    dialog.get_by_label("Name").fill("")
    dialog.get_by_label("Signature in plain text").fill("")
    dialog.get_by_role("textbox", name="Signature with formatting").fill("")
    tab.press("Save")
    tab.told("Saved")


def test_forward_with_files(webmail, mail):
    mail.deliver(letter("Papers"))
    tab = webmail()
    inside = answer(tab, "Papers", "f")
    recipient(inside, "To", "dora@e.example")
    inside.get_by_role("checkbox").nth(1).wait_for()
    inside.get_by_role("checkbox", name="Forward table.csv").uncheck()
    save(inside)
    sent(tab)
    one = mail.arrived("Fwd: Papers")
    assert files(one)["pläne.pdf"] == PDF
    assert "table.csv" not in files(one)
    assert "From: Anna Meier <anna@b.example>\n" in text_of(one)
    mail.until(lambda: "$Forwarded" in mail.flags("Papers"))


def test_forward_as_a_file(webmail, mail):
    mail.deliver(letter("Whole papers"))
    tab = webmail()
    inside = answer(tab, "Whole papers", "f")
    recipient(inside, "To", "dora@e.example")
    body(inside).press("Control+Home")
    tab.page.keyboard.type("See within.")
    inside.get_by_role("button", name="More", exact=True).click()
    tab.page.get_by_role("menuitem", name="Forward as a file").click()
    inside.get_by_text("Whole papers.eml").wait_for()
    save(inside)
    sent(tab)
    one = mail.arrived("Fwd: Whole papers")
    assert text_of(one).strip() == "See within."
    (whole,) = one.iter_attachments()
    assert whole.get_content_type() == "message/rfc822"
    within = whole.get_content()
    assert within["Message-ID"] == "<wholepapers@b.example>"
    assert files(within)["pläne.pdf"] == PDF


def test_a_draft_is_open_again_when_the_page_is(webmail, mail):
    tab = webmail()
    inside = compose(tab, "Open again")
    body(inside).fill("Some words")
    saved(inside)
    tab.page.wait_for_url("**,compose:M*")
    tab.page.reload()
    assert body(window(tab)).input_value() == "Some words"
    sent(tab)
    assert "compose:" not in tab.page.url
    mail.arrived("Open again")
    # A link may name whatever it likes: what is no draft is not taken for one.
    read(tab, "Open again")
    tab.page.wait_for_url("**#*,M*")
    place = tab.page.url.partition("#")[2].split(",")[1]
    tab.page.goto("about:blank")
    tab.page.goto(f"{tab.root}#Inbox,,compose:{place}")
    tab.told("That message is no draft")
    assert tab.page.locator("section.compose").count() == 0


def test_what_became_of_it(webmail, mail):
    tab = webmail()
    inside = compose(tab, "Fares well")
    recipient(inside, "To", "carla@d.example")
    body(inside).fill("Goodbye")
    sent(tab)
    mail.arrived("Fares well")
    tab.page.get_by_role("navigation", name="Mailboxes").get_by_role("link", name="Sent", exact=True).click()
    tab.page.get_by_role("heading", name="Sent", exact=True).wait_for()
    read(tab, "Fares well")
    tab.page.get_by_role("button", name="Delivered 2 of 2").click()
    tab.page.get_by_role("list", name="Recipients").get_by_text("carla@d.example: Delivered").wait_for()


def test_what_is_not_delivered_yet(webmail, mail):
    tab = webmail()
    inside = compose(tab, "Stuck", "dan-temperror@c.example")
    body(inside).fill("Are you there?")
    sent(tab)
    # Some minutes later.
    tab.page.clock.set_fixed_time(time.time() + 600)
    tab.page.reload()
    tab.page.get_by_role("link", name="Not yet delivered").click()
    told = tab.dialog("Not yet delivered")
    told.get_by_text("Stuck").wait_for()
    told.get_by_text("dan-temperror@c.example: On its way 4").wait_for()


def test_a_draft_is_saved_and_restored(webmail, mail):
    tab = webmail()
    inside = compose(tab, "Half done", "dan@c.example")
    inside.get_by_role("button", name="Bcc").click()
    recipient(inside, "Bcc", "carl@secret.example")
    body(inside).fill("So far")
    tab.page.set_input_files(
        "input[aria-label='Files to attach']", [{"name": "a.pdf", "mimeType": "application/pdf", "buffer": PDF}]
    )
    saved(inside)
    (first,) = mail.of("Half done", "Drafts")
    assert text_of(first) == "So far"
    assert {"\\Draft", "\\Seen"} <= mail.flags("Half done", "Drafts")
    body(inside).fill("So far, so good")
    inside.get_by_text("Not saved yet").wait_for()
    save(inside)
    (second,) = mail.of("Half done", "Drafts")
    assert text_of(second) == "So far, so good"
    assert second["Message-ID"] == first["Message-ID"]
    inside.press("Escape")
    tab.press("Save draft")
    tab.page.locator("section.compose").wait_for(state="detached")
    tab.page.reload()
    drafts(tab)
    tab.page.locator("[role=option]").filter(has_text="Half done").first.click()
    inside = window(tab)
    assert chips(inside, "to") == ["dan@c.example"]
    assert chips(inside, "bcc") == ["carl@secret.example"]
    assert body(inside).input_value() == "So far, so good"
    inside.get_by_text("a.pdf").wait_for()
    sent(tab)
    assert files(mail.arrived("Half done")) == {"a.pdf": PDF}
    assert mail.of("Half done", "Drafts") == []


def test_a_draft_written_without_network_keeps_its_files(webmail, mail):
    tab = webmail()
    tab.comes_true("navigator.serviceWorker.controller !== null")
    inside = compose(tab, "Far away", "dan@c.example")
    tab.page.context.set_offline(True)
    body(inside).fill("In a tunnel")
    tab.page.set_input_files(
        "input[aria-label='Files to attach']", [{"name": "a.pdf", "mimeType": "application/pdf", "buffer": PDF}]
    )
    inside.get_by_role("button", name="Send a.pdf again").wait_for()
    tab.page.keyboard.press("Control+s")
    inside.get_by_text("Not saved", exact=False).first.wait_for()
    tab.comes_true(
        """() => new Promise(resolve => {
            const asked = indexedDB.open('moxpy-webmail')
            asked.onsuccess = () => {
                const all = asked.result.transaction('unsaved').objectStore('unsaved').count()
                all.onsuccess = () => { asked.result.close(); resolve(all.result === 1) }
            }
        })"""
    )
    # The browser goes away, whatever is in it.
    tab.page.on("dialog", lambda dialog: dialog.accept())
    tab.page.reload()
    tab.page.context.set_offline(False)
    tab.press("Go on writing")
    inside = window(tab)
    assert body(inside).input_value() == "In a tunnel"
    for _ in range(300):
        if any(files(one) == {"a.pdf": PDF} for one in mail.of("Far away", "Drafts")):
            break
        tab.page.wait_for_timeout(50)
    else:
        raise AssertionError("the draft has no file")
    sent(tab)
    assert files(mail.arrived("Far away")) == {"a.pdf": PDF}
    disconnected = "ERR_INTERNET_DISCONNECTED"
    tab.complaints[:] = [one for one in tab.complaints if disconnected not in one and "beforeunload" not in one]


def test_a_draft_with_looks_is_restored(webmail, mail):
    tab = webmail(html=True)
    inside = compose(tab, "Half done with looks")
    body(inside).click()
    keys = tab.page.keyboard
    inside.get_by_label("Size").select_option("large")
    keys.type("Large")
    keys.press("Enter")
    tab.page.set_input_files("input[aria-label=Pictures]", [{"name": "x.png", "mimeType": "image/png", "buffer": PNG}])
    inside.locator(".htmlbody img[src]").wait_for()
    save(inside)
    inside.press("Escape")
    tab.press("Save draft")
    tab.page.locator("section.compose").wait_for(state="detached")
    drafts(tab)
    tab.page.locator("[role=option]").filter(has_text="Half done with looks").first.click()
    inside = window(tab)
    shown = inside.locator(".htmlbody img[src*=download]")
    shown.wait_for()
    tab.comes_true("document.querySelector('.htmlbody img').naturalWidth === 1")
    assert inside.locator(".htmlbody .size-large").first.inner_text() == "Large"
    body(inside).press("Control+End")
    keys.type("more")
    save(inside)
    sent(tab)
    one = mail.arrived("Half done with looks")
    html = text_of(one, "html")
    assert re.search(r"font-size: ?1\.3em[^>]*>Large", html)
    (image,) = (part for part in one.walk() if part.get_content_type() == "image/png")
    assert image.get_payload(decode=True) == PNG
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html
    assert "more" in html


#: What none of our own quotes has.
HARMFUL = """() => [...document.querySelectorAll('.htmlbody *')].filter(one =>
  /^(SCRIPT|STYLE|IFRAME|OBJECT|EMBED|FORM|SVG|MATH|BASE|META|LINK|BUTTON|INPUT|VIDEO|AUDIO)$/i.test(one.tagName) ||
  [...one.attributes].some(({ name, value }) => /^on|^id$|^name$/.test(name) || /script:/i.test(value)) ||
  /fixed|absolute|sticky/.test(getComputedStyle(one).position)).map(one => one.outerHTML)"""


def test_what_strangers_wrote_does_no_harm_when_it_is_quoted(webmail, mail):
    letters = list(dict(hostilehtml.messages()).values())[::9]
    with smtplib.SMTP(mail.house.host, mail.house.smtp) as smtp:
        for octets in letters:
            smtp.sendmail("eve@evil.example", ["mox@localhost"], octets, ["BODY=8BITMIME"])
    tab = webmail(html=True)
    elsewhere: list[str] = []
    tab.page.on("request", lambda one: elsewhere.append(one.url) if "//localhost:" not in one.url else None)
    rows = tab.page.locator("[role=option]")
    for at in range(len(letters)):
        rows.nth(at).click()
        tab.page.locator("article.mail").first.wait_for()
        tab.page.keyboard.press("r")
        body(window(tab)).locator("blockquote").first.wait_for()
        assert tab.page.evaluate(HARMFUL) == []
        tab.page.keyboard.press("Escape")
        tab.page.locator("section.compose").wait_for(state="detached")
    assert [url for url in elsewhere if not url.startswith(("blob:", "data:"))] == []
    assert tab.page.evaluate("window.caught") is None
    # The policy of the page forbids what a parser meets before anything is taken out.
    tab.complaints[:] = [one for one in tab.complaints if "Content Security Policy" not in one]


def test_a_draft_in_two_windows(webmail, mail):
    one = webmail()
    first = compose(one, "In two places")
    body(first).fill("a")
    save(first)
    other = webmail()
    drafts(other)
    other.page.locator("[role=option]").filter(has_text="In two places").first.click()
    second = window(other)
    body(second).fill("b")
    save(second)
    body(first).fill("c")
    body(first).press("Control+s")
    first.get_by_role("alert").filter(has_text="changed in another window").wait_for()
    assert [text_of(draft) for draft in mail.of("In two places", "Drafts")] == ["b"]
    first.get_by_role("button", name="Open the other one").click()
    one.comes_true("document.querySelector('section.compose textarea')?.value === 'b'")


def test_undo(webmail, mail):
    tab = webmail(undo=20)
    inside = compose(tab, "Too early")
    body(inside).fill("x")
    sent(tab)
    assert len(mail.of("Too early", "Sent")) == 1
    tab.press("Undo", tab.page.locator(".toast"))
    inside = window(tab)
    assert inside.get_by_label("Subject").input_value() == "Too early"
    assert mail.of("Too early", "Sent") == []
    assert len(mail.of("Too early", "Drafts")) == 1
    inside.get_by_label("Subject").fill("In time")
    inside.get_by_role("button", name="More ways to send").click()
    tab.page.get_by_role("menuitem", name="Send later").click()
    tab.dialog("Send later").get_by_role("button", name="Tomorrow morning").click()
    tab.told("It will be sent tomorrow 09:00")
    assert mail.of("Too early", "Drafts") == []
    assert mail.of("Too early") == []


def test_later_and_taken_back(webmail, mail):
    tab = webmail()
    inside = compose(tab, "Not now")
    body(inside).fill("x")
    inside.get_by_role("button", name="More ways to send").click()
    tab.page.get_by_role("menuitem", name="Send later").click()
    tab.dialog("Send later").get_by_role("button", name="In an hour").click()
    tab.told("It will be sent")
    tab.page.get_by_role("link", name="To be sent later").click()
    dialog = tab.dialog("To be sent later")
    dialog.get_by_text("Not now").wait_for()
    dialog.get_by_role("listitem").filter(has_text="Not now").get_by_role("button", name="Edit").click()
    inside = window(tab)
    assert inside.get_by_label("Subject").input_value() == "Not now"
    sent(tab)
    mail.arrived("Not now")


def test_what_speaks_against_it(webmail, mail):
    tab = webmail()
    tab.press("Compose")
    inside = window(tab)
    inside.get_by_role("button", name="Send", exact=True).click()
    tab.dialog("It cannot be sent yet").get_by_text("There is no recipient.").wait_for()
    tab.press("Back")
    recipient(inside, "To", "anna@gmial.com")
    inside.get_by_label("Subject").fill("Objections")
    body(inside).fill("See the attached file.")
    inside.press("Control+Enter")
    dialog = tab.dialog("Send it like this?")
    dialog.get_by_text("“attached”").wait_for()
    dialog.get_by_role("button", name="Use anna@gmail.com").click()
    assert chips(inside, "to") == ["anna@gmail.com"]
    inside.press("Control+Enter")
    tab.press("Send anyway")
    assert str(mail.arrived("Objections")["To"]) == "anna@gmail.com"


def test_nothing_that_was_typed_is_lost(webmail, mail):
    tab = webmail()
    inside = compose(tab, "Kept")
    body(inside).fill("typed")
    # Another one is begun: the first goes to the drafts.
    inside.get_by_role("button", name="Minimise").click()
    tab.press("Compose")
    tab.told("is in Drafts")
    window(tab).get_by_role("combobox", name="To").wait_for()
    (draft,) = mail.of("Kept", "Drafts")
    assert text_of(draft) == "typed"
    window(tab).press("Escape")
    tab.page.locator("section.compose").wait_for(state="detached")


def test_what_cannot_be_saved_outlives_the_page(webmail, mail):
    tab = webmail()
    inside = compose(tab, "No connection", "nora@c.example")
    tab.page.context.set_offline(True)
    body(inside).fill("precious")
    body(inside).press("Control+s")
    inside.get_by_text("Not saved", exact=True).wait_for()
    again = tab.page.context.new_page()
    tab.page.close(run_before_unload=False)
    again.context.set_offline(False)
    again.goto(tab.root)
    again.get_by_role("button", name="Go on writing").click()
    inside = again.locator("section.compose")
    assert inside.get_by_role("textbox", name="Message", exact=True).input_value() == "precious"
    inside.get_by_text("Draft saved").wait_for()
    (draft,) = mail.of("No connection", "Drafts")
    assert text_of(draft) == "precious"
    assert str(draft["To"]) == "nora@c.example"
    # What failed while there was no connection is no fault of the page.
    tab.complaints[:] = [one for one in tab.complaints if "ERR_INTERNET_DISCONNECTED" not in one]


def test_vacation(webmail, mail):
    tab = webmail()
    tab.press("Settings")
    tab.page.get_by_role("tab", name="Vacation").click()
    tab.page.get_by_label("Answer by itself while I am away").check()
    tab.fill({"Subject": "Away", "Text": "Back in January.\n"})
    tab.page.get_by_role("group", name="Preview").get_by_text("Back in January.").wait_for()
    tab.press("Save")
    tab.saved()
    tab.press("Close")
    tab.closed()
    with smtplib.SMTP(mail.house.host, mail.house.smtp) as smtp:
        smtp.sendmail(
            "eve@b.example", ["mox@localhost"], b"From: eve@b.example\r\nTo: mox@localhost\r\nSubject: hey\r\n\r\nx\r\n"
        )
    one = mail.arrived("Away")
    assert text_of(one).strip() == "Back in January."
    assert one["Auto-Submitted"].startswith("auto-replied")
    tab.press("Settings")
    tab.page.get_by_role("tab", name="Vacation").click()
    tab.page.get_by_label("Answer by itself while I am away").uncheck()
    tab.press("Save")
    tab.saved()


def test_a_rule_from_a_message(webmail, mail):
    mail.deliver(letter("Rule me", List_Id="News <news.b.example>"))
    tab = webmail()
    read(tab, "Rule me")
    tab.page.locator("article.mail").get_by_role("button", name="More").first.click()
    tab.page.get_by_role("menuitem", name="Rule from this message").click()
    dialog = tab.dialog("Rule from this message")
    dialog.get_by_text("mox@localhost").wait_for()
    tab.press("Add rule")
    dialog.get_by_text("Where it should go").wait_for()
    dialog.get_by_label("Deliver to").select_option(label="A new mailbox…")
    dialog.get_by_label("Deliver to").fill("Lists/News")
    tab.press("Add rule")
    tab.told("Rule added")
    with smtplib.SMTP(mail.house.host, mail.house.smtp) as smtp:
        octets = letter("Ruled", List_Id="News <news.b.example>").as_bytes()
        smtp.sendmail("anna@b.example", ["mox@localhost"], octets)
    mail.until(lambda: len(mail.of("Ruled", "Lists/News")) == 1)


def test_by_keys_alone(webmail, mail):
    tab = webmail()
    keys = tab.page.keyboard
    tab.page.locator("#messages").focus()
    keys.press("c")
    inside = window(tab)
    tab.focused("[role=combobox]")
    keys.type("Keys <keys@c.example>,")
    keys.press("Control+Shift+b")
    tab.focused("[data-field=bcc] input")
    keys.press("Control+Backspace")
    inside.get_by_role("combobox", name="Bcc").wait_for(state="detached")
    # A chip is edited, and removed.
    keys.press("ArrowLeft")
    tab.focused(".recipient")
    keys.press("Enter")
    assert inside.get_by_role("combobox", name="To").input_value() == "Keys <keys@c.example>"
    keys.press("Enter")
    inside.locator(".recipient").first.wait_for()
    tab.focused("[role=combobox]")
    for _ in range(6):
        # What lies between comes and goes with what is known of the recipient.
        if tab.page.locator("input.composetext:focus").count() == 0:
            keys.press("Tab")
    tab.focused("input.composetext")
    keys.type("By keys")
    keys.press("Tab")
    keys.type("r, a and d are letters here.")
    keys.press("Control+Enter")
    tab.told("Sent")
    one = mail.arrived("By keys")
    assert str(one["To"]) == "Keys <keys@c.example>"
    assert text_of(one) == "r, a and d are letters here."
    # The focus is where it was.
    tab.focused("#messages")


def test_on_a_phone(webmail, mail):
    tab = webmail(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    inside = compose(tab, "From a phone")
    body(inside).fill("short")
    wide = tab.page.evaluate(
        "[document.documentElement.scrollWidth, document.querySelector('section.compose').clientWidth]"
    )
    assert wide == [390, 390]
    sent(tab)
    assert text_of(mail.arrived("From a phone")) == "short"
