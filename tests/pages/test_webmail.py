"""Webmail in a browser, against a real server: reading, finding, sorting and moving mail by mouse, touch and keys."""

import email.utils
import imaplib
import json
import smtplib
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from appliance.localserve import PASSWORD
from support import browsing, served
from support.browsing import Tab
from support.pagedata import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = pytest.mark.slow

#: A picture of one pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000"
    "0500010d0a2db40000000049454e44ae426082"
)


def message(
    subject: str, sender: str = "Anna Berger <anna@example.org>", text: str = "Hello", **headers: str
) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, "Mox <mox@localhost>", subject
    made["Message-ID"] = headers.pop("message_id", email.utils.make_msgid(domain="mail.example"))
    made["Date"] = email.utils.formatdate()
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def put(
    house: served.House, messages: list[EmailMessage], mailbox: str = "INBOX", flags: str = "", hours: int = 0
) -> None:
    """Stores them, each received an hour before the one behind it."""
    with imaplib.IMAP4("localhost", house.imap) as client:
        client.login(house.user, PASSWORD)
        for index, one in enumerate(messages):
            when = time.time() - (len(messages) - index + hours) * 3600
            client.append(mailbox, flags, imaplib.Time2Internaldate(when), one.as_bytes())


def deliver(house: served.House, one: EmailMessage) -> None:
    with smtplib.SMTP("localhost", house.smtp, timeout=60) as client:
        client.send_message(one, email.utils.parseaddr(str(one["From"]))[1], ["mox@localhost"])


def counted(house: served.House, mailbox: str, *criteria: str) -> int:
    """Messages as another program sees them."""
    with imaplib.IMAP4("localhost", house.imap) as client:
        client.login(house.user, PASSWORD)
        client.select(mailbox, readonly=True)
        return len(client.search(None, *(criteria or ("ALL",)))[1][0].split())


def eventually(test: Callable[[], Any], tab: Tab) -> None:
    for _ in range(300):
        if test():
            return
        tab.page.wait_for_timeout(50)
    raise AssertionError("it did not come to that")


@pytest.fixture(scope="module")
def house(browser: "Browser", moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("webmail") / "local") as house:
        yield house


@pytest.fixture
def mail(tab: Callable[..., Tab], house: served.House) -> Callable[..., "Mail"]:
    """Opens webmail on a search that finds the mail of one test only, or on a mailbox."""

    def open_mail(place: str = "Inbox", **options: Any) -> Mail:
        one = tab("webmail", None, **options)
        one.page.goto(f"{one.root}#{place}")
        one.enter()
        one.logged_in()
        return Mail(one)

    return open_mail


class Mail:
    """The page, by what is to be seen in it."""

    def __init__(self, tab: Tab) -> None:
        self.tab, self.page = tab, tab.page

    def row(self, text: str) -> "Locator":
        return self.page.get_by_role("option").filter(has_text=text).first

    def rows(self) -> "Locator":
        return self.page.locator(".rows [role=option]")

    def open(self, text: str) -> "Locator":
        self.row(text).click()
        return self.reader(text)

    def reader(self, text: str) -> "Locator":
        reader = self.page.get_by_role("region", name="Message", exact=True)
        reader.get_by_role("heading", name=text).wait_for()
        return reader

    def mailbox(self, name: str) -> "Locator":
        return self.page.get_by_role("navigation", name="Mailboxes").get_by_role("link", name=name)

    def search(self, text: str) -> None:
        field = self.page.get_by_role("combobox", name="Search mail")
        field.fill(text)
        field.press("Enter")
        self.page.get_by_role("heading", name="Search", exact=True).wait_for()

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def gone(self, text: str) -> None:
        self.row(text).wait_for(state="detached")


@browsing.only_chromium("loses what is downloaded")
def test_reading(house, mail):
    # What is chosen for a sender is remembered, and other tests choose, too.
    text = "See https://example.org/plan, please.\n\n> quoted\n"
    letter = message("Reading: the plan", "Rita <rita@example.org>", text)
    letter.add_alternative('<p>See <b>the plan</b></p><img src="https://elsewhere.example/pixel.png">', subtype="html")
    letter.add_attachment(PNG, maintype="image", subtype="png", filename="plan.png")
    letter.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="figures.csv")
    put(house, [letter])
    page = mail()
    assert "unread" in (page.row("Reading: the plan").get_attribute("class") or "")
    reader = page.open("Reading: the plan")
    # The text first; then HTML, without what it would load.
    reader.get_by_role("link", name="https://example.org/plan").wait_for()
    reader.get_by_role("button", name="HTML", exact=True).click()
    page.page.frame_locator("iframe.document").get_by_text("the plan").wait_for()
    reader.get_by_text("Images from elsewhere are not loaded").wait_for()
    # Read after a moment, and so for everybody.
    eventually(lambda: counted(house, "INBOX", "SEEN", "SUBJECT", '"Reading: the plan"') == 1, page.tab)
    assert "unread" not in (page.row("Reading: the plan").get_attribute("class") or "")
    # Attachments one after the other.
    reader.get_by_role("button", name="View plan.png").click()
    viewer = page.page.get_by_role("dialog", name="Attachment plan.png")
    viewer.get_by_role("img", name="plan.png").wait_for()
    page.keys("ArrowRight")
    page.page.get_by_role("dialog", name="Attachment figures.csv").frame_locator("iframe").get_by_text("1,2").wait_for()
    page.keys("Escape")
    with page.page.expect_download() as download:
        reader.get_by_role("link", name="Download figures.csv").click()
    assert Path(download.value.path()).read_bytes() == b"a,b\n1,2\n"
    # It is remembered for the sender.
    page.page.reload()
    page.page.frame_locator("iframe.document").get_by_text("the plan").wait_for()


def test_what_others_write_is_text(house, mail):
    put(
        house,
        [message(f"Hostile {HOSTILE}", f'"{HOSTILE[:30].replace(chr(34), "")}" <evil@example.org>', f"Text {HOSTILE}")],
    )
    page = mail()
    page.row("Hostile").click()
    page.page.locator(".plaintext").get_by_text("<img src=x").wait_for()
    page.tab.unharmed("a message")
    page.search("Hostile")
    page.row("Hostile").wait_for()
    page.tab.unharmed("a search")


def test_search(house, mail):
    put(
        house,
        [
            message("Search: melons", text="The pineapple is ripe."),
            message("Search: pears", "Bob <bob@example.org>", "Nothing here."),
        ],
    )
    page = mail()
    page.search("pineapple")
    page.row("Search: melons").wait_for()
    eventually(lambda: page.rows().count() == 1, page.tab)
    page.page.locator("mark", has_text="pineapple").first.wait_for()
    page.search("from:bob subject:Search")
    page.row("Search: pears").wait_for()
    page.gone("Search: melons")
    page.search("mb:Nowhere x")
    page.page.get_by_text("There is no mailbox “Nowhere”.").wait_for()
    # A step back in the history is the search before.
    page.page.go_back()
    page.row("Search: pears").wait_for()
    # Mailboxes are suggested.
    field = page.page.get_by_role("combobox", name="Search mail")
    field.fill("mb:Arch")
    page.page.get_by_role("option", name="Archive").click()
    eventually(lambda: field.input_value() == "mb:Archive", page.tab)


def test_thread(house, mail):
    first = message("Thread: where?", message_id="<t1@mail.example>")
    second = message(
        "Re: Thread: where?",
        "Bob <bob@example.org>",
        "There",
        message_id="<t2@mail.example>",
        In_Reply_To="<t1@mail.example>",
        References="<t1@mail.example>",
    )
    third = message(
        "Re: Thread: where?",
        "Chen <chen@example.org>",
        "Here!",
        message_id="<t3@mail.example>",
        In_Reply_To="<t2@mail.example>",
        References="<t1@mail.example> <t2@mail.example>",
    )
    put(house, [first, second, third], flags="\\Seen")
    page = mail("search subject:%22Thread: where%22")
    row = page.row("Thread: where?")
    row.get_by_text("Anna, Bob, Chen").wait_for()
    eventually(lambda: page.rows().count() == 1, page.tab)
    reader = page.open("Thread: where?")
    reader.get_by_text("Here!").wait_for()
    eventually(lambda: reader.locator(".mailline").count() == 2, page.tab)
    reader.locator(".mailline").nth(1).click()
    reader.get_by_text("There", exact=True).wait_for()
    # In the list, as a tree.
    page.page.locator("#messages").focus()
    page.keys("ArrowRight")
    page.rows().nth(2).wait_for()
    eventually(lambda: page.rows().count() == 3, page.tab)
    assert [page.rows().nth(index).locator(".link").count() for index in range(3)] == [0, 1, 1]
    page.keys("ArrowLeft")
    page.rows().nth(1).wait_for(state="detached")


def test_junk_and_back(house, mail):
    put(house, [message("Junk: win a prize")], flags="\\Seen")
    page = mail()
    page.open("Junk: win a prize")
    page.keys("q")
    page.gone("Junk: win a prize")
    page.tab.told("moved to Junk")
    eventually(
        lambda: counted(house, "Junk", "SEEN", "KEYWORD", "$Junk", "SUBJECT", '"Junk: win a prize"') == 1, page.tab
    )
    page.mailbox("Junk").click()
    page.open("Junk: win a prize")
    page.page.get_by_role("region", name="Message", exact=True).get_by_role("button", name="Not junk").click()
    page.gone("Junk: win a prize")
    eventually(
        lambda: (
            counted(house, "INBOX", "KEYWORD", "$NotJunk", "UNKEYWORD", "$Junk", "SUBJECT", '"Junk: win a prize"') == 1
        ),
        page.tab,
    )


def test_what_is_read_long_enough_is_wanted(house, mail):
    put(house, [message("Wanted: a letter")])
    put(house, [message("Wanted: an offer")], "Junk")
    page = mail()
    page.page.clock.install()
    page.page.reload()

    def in_time(milliseconds: int, mailbox: str, *criteria: str) -> bool:
        # Time begins to count when all of it is shown, which nobody outside can tell.
        page.page.clock.fast_forward(milliseconds)
        return counted(house, mailbox, *criteria) == 1

    for box, subject in (("Junk", "Wanted: an offer"), ("INBOX", "Wanted: a letter")):
        page.mailbox(box.capitalize()).click()
        page.open(subject)
        eventually(lambda s=subject, b=box: in_time(100, b, "SEEN", "SUBJECT", f'"{s}"'), page.tab)
        # Only what the page knows to be read is judged, and once.
        eventually(lambda s=subject: "unread" not in (page.row(s).get_attribute("class") or ""), page.tab)
        for _ in range(10):
            page.page.clock.fast_forward(1000)
    eventually(lambda: in_time(1000, "INBOX", "KEYWORD", "$NotJunk", "SUBJECT", '"Wanted: a letter"'), page.tab)
    # What lies in Junk is not judged by being looked at.
    assert counted(house, "Junk", "KEYWORD", "$NotJunk", "SUBJECT", '"Wanted: an offer"') == 0


def test_undo(house, mail):
    put(house, [message("Undo: keep me")], flags="\\Seen")
    page = mail()
    page.open("Undo: keep me")
    page.keys("a")
    page.gone("Undo: keep me")
    page.tab.press("Undo")
    page.row("Undo: keep me").wait_for()
    eventually(lambda: counted(house, "INBOX", "SUBJECT", '"Undo: keep me"') == 1, page.tab)


@browsing.only_chromium("does not drag")
def test_drag_to_mailbox(house, mail):
    with imaplib.IMAP4("localhost", house.imap) as client:
        client.login(house.user, PASSWORD)
        client.create("Projects")
        client.create("Projects/Boat")
    put(house, [message("Drag: the mast"), message("Drag: the sail")], flags="\\Seen")
    page = mail()
    page.row("Drag: the mast").drag_to(page.mailbox("Boat"))
    page.gone("Drag: the mast")
    page.tab.told("moved to Projects/Boat")
    eventually(lambda: counted(house, "Projects/Boat") == 1, page.tab)
    assert page.row("Drag: the sail").count() == 1
    # A mailbox, too.
    page.mailbox("Boat").drag_to(page.mailbox("Archive"))
    page.tab.told("Moved below Archive")
    eventually(lambda: counted(house, "Archive/Boat") == 1, page.tab)


def test_labels_flags_and_muting(house, mail):
    put(house, [message("Label: taxes")], flags="\\Seen")
    page = mail()
    page.open("Label: taxes")
    page.keys("y")
    page.page.keyboard.type("money")
    page.keys("Enter")
    page.row("Label: taxes").get_by_text("money").wait_for()
    page.keys("s", "X")
    eventually(
        lambda: counted(house, "INBOX", "KEYWORD", "money", "FLAGGED", "SUBJECT", '"Label: taxes"') == 1, page.tab
    )
    page.row("Label: taxes").get_by_title("Muted").wait_for(state="attached")
    page.page.get_by_role("button", name="Label", exact=True).first.click()
    page.page.get_by_role("menuitem", name="money").click()
    page.row("Label: taxes").wait_for()
    eventually(lambda: page.rows().count() == 1, page.tab)


def html(subject: str, body: str, **headers: str) -> EmailMessage:
    made = message(subject, **headers)
    made.set_content(body, subtype="html")
    return made


def test_keys_and_letters(house, mail):
    """A letter in HTML has an origin of its own: the page does not hear its keys, and must get them back."""
    long = "".join(f"<p>Line {number}</p>" for number in range(200))
    put(
        house,
        [
            html("Letters: before", "<p>x</p>"),
            html("Letters: keys", f'<p><b>Marmalade</b></p><a href="#a">link</a>{long}'),
        ],
    )
    page = mail(permissions=["clipboard-read", "clipboard-write"])
    page.search("subject:Letters:")
    page.open("Letters: keys")
    frame = page.page.frame_locator("iframe.document")
    hint = page.page.get_by_text("Keys scroll the letter")
    frame.get_by_text("Marmalade").dblclick()
    hint.wait_for()
    # As the pointer leaves the letter, the page has its keys again; what was chosen is copied all the same.
    page.row("Letters: before").hover()
    hint.wait_for(state="hidden")
    page.page.keyboard.down("Control")
    eventually(lambda: page.page.frames[-1].evaluate("document.hasFocus()"), page.tab)
    page.keys("c")
    page.page.keyboard.up("Control")
    # After a moment the page has the keys again.
    eventually(lambda: page.page.evaluate("document.activeElement.id") == "message", page.tab)
    assert page.page.evaluate("navigator.clipboard.readText()").strip() == "Marmalade"
    page.keys("j")
    page.reader("Letters: before")
    # By keys alone: in, scrolled as the browser does, and out.
    page.keys("k")
    page.reader("Letters: keys")
    first = frame.get_by_text("Line 0", exact=True)
    top = first.bounding_box()["y"]
    page.keys("Control+m", "Space")
    hint.wait_for()
    eventually(lambda: first.bounding_box()["y"] < top - 50, page.tab)
    # Past its one link.
    page.keys("Shift+Tab", "Shift+Tab")
    past = page.page.get_by_role("button", name="Past the letter")
    past.and_(page.page.locator(":focus")).wait_for()
    past.press("Enter")
    page.page.get_by_role("button", name="Reply", exact=True).and_(page.page.locator(":focus")).wait_for()
    page.keys("j")
    page.reader("Letters: before")


def test_all_labels_in_use(house, mail):
    """Also of messages that nobody looked at."""
    put(house, [message("Labels: elsewhere")], "Archive", "\\Seen Travel")
    put(house, [message("Labels: here")], flags="\\Seen")
    page = mail("search mb:Inbox subject:Labels:")
    page.row("Labels: here").wait_for()
    label = page.page.get_by_role("button", name="Label", exact=True).first
    label.click()
    page.page.get_by_role("menuitem", name="travel").wait_for()
    page.keys("Escape")
    # Others give one meanwhile.
    put(house, [message("Labels: more")], "Sent", "\\Seen Garden")
    eventually(
        lambda: label.click() or page.page.get_by_role("menuitem", name="garden").count() or page.keys("Escape"),
        page.tab,
    )


def test_links_to_the_account(house, mail):
    page = mail()
    page.row("").first.wait_for()
    page.tab.press("Settings")
    page.page.get_by_role("tab", name="This browser").click()
    link = page.tab.dialog("Settings").get_by_role("link", name="Password", exact=True)
    link.wait_for()
    with page.page.context.expect_page() as opened:
        link.click()
    opened.value.get_by_role("button", name="Log in", exact=True).wait_for()
    assert opened.value.url.endswith("/account/#/password")


def test_news(house, mail):
    """New mail is told of, once one has asked for that by a click; the number of unread stands in the tab's sign."""
    page = mail(permissions=["notifications"])
    page.page.evaluate("""() => {
        window.told = []
        window.asked = 0
        class Told {
            static permission = 'default'
            static requestPermission() { window.asked += 1; Told.permission = 'granted'; return Promise.resolve('granted') }
            constructor(title, options) { window.told.push([title, options.body]) }
            close() {}
        }
        window.Notification = Told
        PushManager.prototype.subscribe = () => Promise.reject(new Error('there is no push service'))
        ServiceWorkerRegistration.prototype.showNotification = (title, options) => {
            window.told.push([title, options.body])
            return Promise.resolve()
        }
        Object.defineProperty(document, 'hidden', { get: () => true })
    }""")
    deliver(house, message("News: unasked", "Anna Berger <anna@example.org>"))
    page.row("News: unasked").wait_for()
    unread = counted(house, "INBOX", "UNSEEN")
    sign = page.page.locator("link[rel=icon]")
    eventually(lambda: f"%3E{unread}%3C" in sign.get_attribute("href"), page.tab)
    assert page.page.evaluate("[window.asked, window.told.length]") == [0, 0]
    page.tab.press("Settings")
    page.page.get_by_role("tab", name="This browser").click()
    page.page.get_by_role("checkbox", name="Tell of new mail").check()
    page.keys("Escape")
    page.tab.closed()
    deliver(house, message("News: wanted", "Anna Berger <anna@example.org>"))
    eventually(lambda: page.page.evaluate("window.told.length") == 1, page.tab)
    ((title, body),) = page.page.evaluate("window.told")
    assert title == "Anna Berger"
    assert body.startswith("News: wanted")
    # Nothing is told when one no longer wants it.
    page.page.evaluate("delete window.told; window.told = []")
    page.page.get_by_role("button", name="Account mox@localhost").click()
    page.page.get_by_role("menuitemcheckbox", name="Tell of new mail").click()
    deliver(house, message("News: unwanted", "Anna Berger <anna@example.org>"))
    page.row("News: unwanted").wait_for()
    assert page.page.evaluate("[window.asked, window.told.length]") == [1, 0]


def test_push(house, mail):
    """Told with no window open. In place of a push service stand a URL where nobody is, and the browser's own tools."""
    page = mail(permissions=["notifications"])
    tab = page.page
    tab.evaluate("""() => {
        PushManager.prototype.subscribe = () => Promise.resolve({ toJSON: () => ({
            endpoint: 'https://127.0.0.1:9/push',
            keys: {
                p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
                auth: 'BTBZMqHH6r4Tts7J_aSIgg',
            },
        }) })
    }""")
    page.tab.press("Settings")
    tab.get_by_role("tab", name="This browser").click()
    with tab.expect_response(lambda answer: "PushSubscription/set" in (answer.request.post_data or "")) as asked:
        tab.get_by_role("checkbox", name="Tell of new mail").check()
    created = asked.value.json()["methodResponses"][-1][1]["created"]["new"]
    devtools, found = tab.context.new_cdp_session(tab), []
    devtools.on("ServiceWorker.workerRegistrationUpdated", lambda event: found.extend(event["registrations"]))
    devtools.send("ServiceWorker.enable")
    eventually(lambda: any(page.tab.root == one["scopeURL"] for one in found), page.tab)
    registration = next(one["registrationId"] for one in found if one["scopeURL"] == page.tab.root)

    def push(value):
        data = {"origin": f"http://localhost:{house.http}", "registrationId": registration, "data": json.dumps(value)}
        devtools.send("ServiceWorker.deliverPushMessage", data)

    # The question is answered by the page; this code is not the right one, since what is sent to nobody stays unknown.
    with tab.expect_response(lambda answer: "verificationCode" in (answer.request.post_data or "")) as answered:
        push({"@type": "PushVerification", "pushSubscriptionId": created["id"], "verificationCode": "guessed"})
    assert answered.value.json()["methodResponses"][0][1]["notUpdated"].keys() == {created["id"]}
    deliver(house, message("Push: hello", "Anna Berger <anna@example.org>"))
    # Of the same origin, but none of webmail's windows.
    tab.goto(page.tab.root.replace("/webmail/", "/account/"))
    push({"@type": "StateChange", "changed": {}})
    shown = """async () => {
        const worker = await navigator.serviceWorker.getRegistration('/webmail/')
        return (await worker.getNotifications()).map(one => [one.title, one.body])
    }"""
    eventually(lambda: tab.evaluate(shown), page.tab)
    ((title, body),) = tab.evaluate(shown)
    assert title == "Anna Berger"
    assert body.startswith("Push: hello")
    # What comes elsewhere tells nothing again.
    tab.evaluate(
        """async () => {
            const worker = await navigator.serviceWorker.getRegistration('/webmail/')
            for (const one of await worker.getNotifications()) one.close()
        }"""
    )
    push({"@type": "StateChange", "changed": {}})
    deliver(house, message("Push: once more", "Carl Diehl <carl@example.org>"))
    push({"@type": "StateChange", "changed": {}})
    eventually(lambda: tab.evaluate(shown), page.tab)
    assert [title for title, _ in tab.evaluate(shown)] == ["Carl Diehl"]


def test_tips(house, mail):
    """What the focus is on, asked by a key."""
    put(house, [message("Tips: hello")])
    page = mail()
    page.open("Tips: hello").get_by_role("button", name="Archive").focus()
    page.keys("Control+?")
    page.page.get_by_role("status").get_by_text("Archive (a)").wait_for()


def test_all_that_match(house, mail):
    put(house, [message(f"Many: {number}") for number in range(120)], flags="\\Seen")
    page = mail("search subject:Many:")
    page.row("Many: 119").wait_for()
    page.keys("Control+a")
    page.page.get_by_text("All 120 chosen").wait_for()
    page.keys("a")
    page.page.get_by_text("Nothing was found").or_(
        page.page.locator(".mailrow .badge", has_text="Archive")
    ).first.wait_for()
    eventually(lambda: counted(house, "Archive", "SUBJECT", "Many:") == 120, page.tab)
    page.tab.press("Undo")
    eventually(lambda: counted(house, "INBOX", "SUBJECT", "Many:") == 120, page.tab)


def test_two_windows(house, mail):
    """What happens in one window, or outside, is seen in the other."""
    put(house, [message("Live: first")])
    one, two = mail(), mail()
    # A third is a tab of the same browser as the second: they share a stream.
    third = two.page.context.new_page()
    third.goto(f"{two.tab.root}#Inbox")
    one.row("Live: first").wait_for()
    two.row("Live: first").wait_for()
    deliver(house, message("Live: second", "New <new@example.org>"))
    one.row("Live: second").wait_for()
    two.row("Live: second").wait_for()
    third.get_by_role("option").filter(has_text="Live: second").wait_for()
    one.open("Live: first")
    eventually(lambda: "unread" not in (two.row("Live: first").get_attribute("class") or ""), two.tab)
    one.keys("d")
    two.gone("Live: first")
    # When the tab that has the stream goes, the other has one.
    third.wait_for_load_state()
    two.page.close()
    two.page = third
    deliver(house, message("Live: third", "New <new@example.org>"))
    two.row("Live: third").wait_for()
    unread = counted(house, "INBOX", "UNSEEN")
    eventually(lambda: two.page.title() == f"({unread}) Inbox – moxpy", one.tab)


@browsing.only_chromium("loses what is downloaded")
def test_export(house, mail):
    put(house, [message("Export: a letter", text="Kept elsewhere")], flags="\\Seen")
    page = mail()
    reader = page.open("Export: a letter")
    reader.get_by_role("button", name="More about this message").first.click()
    page.page.get_by_role("menuitem", name="Export…").click()
    page.tab.choose("Packed as", "none")
    with page.page.expect_download() as download:
        page.tab.press("Export")
    exported = Path(download.value.path()).read_bytes()
    assert exported.startswith(b"From ")
    assert b"Kept elsewhere" in exported


def test_why_and_unsubscribe(house, mail):
    headers = {"List_Id": "News <news.lists.example>", "List_Unsubscribe": "<mailto:leave@lists.example?subject=leave>"}
    put(house, [message("List: the news", "News <news@lists.example>", **headers)], flags="\\Seen")
    page = mail()
    more = page.open("List: the news").get_by_role("button", name="More about this message").first
    more.click()
    page.page.get_by_role("menuitem", name="Why is this here?").click()
    page.tab.dialog("Why is this here?").get_by_role("listitem").first.wait_for()
    page.keys("Escape")
    page.tab.closed()
    more.click()
    page.page.get_by_role("menuitem", name="Internals").click()
    page.tab.dialog("Internals").get_by_text("text/plain").first.wait_for()
    page.keys("Escape")
    page.tab.closed()
    more.click()
    page.page.get_by_role("menuitem", name="Unsubscribe…").click()
    page.page.get_by_text("leave@lists.example").first.wait_for()


def test_letters_on_a_phone(house, mail):
    """What is laid out for a wide window gives way; what is done stands at the lower edge; other scripts begin where they do."""
    letter = message("Phone: the letter", "Petra <petra@example.org>")
    letter.add_alternative(
        '<table width="640"><tr><td width="300">one</td><td style="width: 600px"><div style="width:580px">two</div></td></tr></table>',
        subtype="html",
    )
    put(house, [letter, message("Phone: من اليمين", text="مرحبا، 10:30")], flags="\\Seen")
    page = mail("search subject:Phone:", viewport={"width": 390, "height": 844}, has_touch=True)
    reader = page.open("Phone: the letter")
    reader.get_by_role("button", name="HTML", exact=True).click()
    body = page.page.frame_locator("iframe.document").locator("body")
    body.get_by_text("two").wait_for()
    assert body.evaluate("body => body.ownerDocument.documentElement.scrollWidth <= innerWidth")
    for name in ("Back to the list", "Archive", "To the trash"):
        box = reader.get_by_role("button", name=name, exact=True).first.bounding_box()
        assert box["y"] > 780
        assert min(box["width"], box["height"]) >= 40
    reader.get_by_role("button", name="Back to the list").click()
    reader = page.open("Phone: من اليمين")
    assert reader.locator(".plaintext p").first.evaluate("one => getComputedStyle(one).unicodeBidi") == "plaintext"


@browsing.only_chromium("does not touch")
def test_narrow(house, mail):
    put(house, [message("Narrow: a walk")])
    page = mail(viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    page.row("Narrow: a walk").tap()
    reader = page.reader("Narrow: a walk")
    page.page.locator(".area.list").wait_for(state="hidden")
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    small = reader.get_by_role("button").evaluate_all(
        "all => all.map(one => [one.textContent, one.getBoundingClientRect()])"
        ".filter(([text, { width, height }]) => width > 0 && Math.min(width, height) < 44).map(([text]) => text)"
    )
    assert small == []
    page.page.go_back()
    page.row("Narrow: a walk").wait_for()
    page.tab.press("Mailboxes")
    page.mailbox("Sent").tap()
    page.page.get_by_role("heading", name="Sent").wait_for()


@pytest.mark.parametrize("wide", [320, 1280])
def test_nothing_stands_out_of_the_window(house, mail, wide):
    long = "Narrow: " + "Donaudampfschifffahrtsgesellschaft" * 3
    letter = message(long, f"{'Longname' * 8} <{'long' * 12}@{'example' * 4}.org>", "x" * 300)
    letter.add_attachment(PNG, maintype="image", subtype="png", filename=f"{'name' * 20}.png")
    put(house, [letter], flags="\\Seen")
    page = mail(viewport={"width": wide, "height": 640})
    page.row("Narrow: Donau").click()
    page.page.locator(".plaintext").wait_for()
    assert page.page.evaluate("document.documentElement.scrollWidth") == wide
    assert page.page.evaluate(
        "document.getElementById('message').scrollWidth <= document.getElementById('message').clientWidth"
    )
    if wide < 760:
        page.page.go_back()
    page.page.get_by_role("button", name="Account mox@localhost").click()
    page.page.get_by_role("menuitem", name="Settings").click()
    box = page.tab.dialog("Settings").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= wide
    page.keys("Escape")
    page.tab.closed()
    page.page.get_by_role("button", name="Compose").last.click()
    page.page.locator("section.compose").wait_for()
    assert page.page.evaluate("document.documentElement.scrollWidth") == wide


def test_stretches_by_keys(house, mail):
    put(house, [message(f"Stretch: {number}") for number in range(5)], flags="\\Seen")
    page = mail("search subject:Stretch:")
    page.row("Stretch: 0").wait_for()
    page.keys("j", "j", "Shift+End")
    page.page.get_by_text("4 chosen").wait_for()
    page.keys("Escape", "Home", "Control+ArrowDown", "Control+ArrowDown", "Space", "K")
    page.page.get_by_text("2 chosen").wait_for()
    page.keys("ContextMenu")
    page.page.get_by_role("menuitem", name="Archive").press("Escape")
    page.page.get_by_text("2 chosen").wait_for()


def test_what_is_shown_is_remembered(house, mail):
    """Until one goes elsewhere."""
    put(house, [message("Remembered: plain")], flags="\\Seen")
    put(house, [message("Remembered: flagged")], flags="\\Seen \\Flagged")
    page = mail()
    page.row("Remembered: plain").wait_for()
    chip = page.page.get_by_role("button", name="Flagged")
    chip.click()
    page.gone("Remembered: plain")
    page.page.reload()
    page.row("Remembered: flagged").wait_for()
    assert page.row("Remembered: plain").count() == 0
    assert chip.get_attribute("aria-pressed") == "true"
    page.mailbox("Archive").click()
    page.mailbox("Inbox").click()
    page.row("Remembered: plain").wait_for()


def test_keys_only(house, mail):
    put(house, [message("Keys: one"), message("Keys: two"), message("Keys: three")])
    page = mail()
    page.row("Keys: three").wait_for()
    page.keys("/")
    page.page.keyboard.type("subject:Keys:")
    page.keys("Enter")
    page.page.get_by_role("heading", name="Search", exact=True).wait_for()
    eventually(lambda: page.rows().count() == 3, page.tab)
    page.keys("j")
    page.reader("Keys: three")
    page.keys("j")
    page.reader("Keys: two")
    page.keys("k")
    page.reader("Keys: three")
    page.keys("Shift+ArrowDown", "Shift+ArrowDown")
    page.page.get_by_text("3 chosen").wait_for()
    page.keys("M")
    eventually(lambda: counted(house, "INBOX", "UNSEEN", "SUBJECT", "Keys:") == 3, page.tab)
    page.keys("Escape", "Escape", "?")
    page.tab.dialog("Keys").get_by_text("The next unread one").wait_for()
    page.keys("Escape")
    page.tab.closed()
    page.keys("i")
    page.page.get_by_role("heading", name="Inbox", exact=True).wait_for()
    page.keys("Control+k")
    page.page.keyboard.type("Trash")
    page.keys("Enter")
    page.page.get_by_role("heading", name="Trash", exact=True).wait_for()


@browsing.only_chromium("cannot ask for dark")
def test_dark(house, mail):
    put(house, [message("Dark: night")])
    page = mail(color_scheme="dark")
    page.open("Dark: night")
    shade = "one => getComputedStyle(one).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0)"
    for area in ("body", ".areas", ".tools"):
        assert page.page.locator(area).first.evaluate(shade) < 150, area


def test_mailboxes(house, mail):
    page = mail()
    page.tab.press("New mailbox")
    page.tab.fill({"Name": "Travel"})
    page.tab.press("Create")
    page.mailbox("Travel").wait_for()
    page.mailbox("Travel").click(button="right")
    page.page.get_by_role("menuitem", name="Rename…").click()
    page.tab.fill({"Name": "Journeys"})
    page.tab.press("Rename")
    page.mailbox("Journeys").wait_for()
    put(house, [message("Box: ticket")], "Journeys")
    eventually(lambda: "1" in page.mailbox("Journeys").inner_text(), page.tab)
    page.mailbox("Journeys").click(button="right")
    page.page.get_by_role("menuitem", name="Mark all as read", exact=True).click()
    eventually(lambda: counted(house, "Journeys", "SEEN") == 1, page.tab)
    # Below another one, by keys alone.
    page.mailbox("Journeys").focus()
    page.keys("b")
    page.page.get_by_role("menuitem", name="Move below…").press("Enter")
    page.page.keyboard.type("Archive")
    page.keys("Enter")
    page.tab.told("Moved below Archive")
    eventually(lambda: counted(house, "Archive/Journeys") == 1, page.tab)
    page.mailbox("Journeys").click(button="right")
    page.page.get_by_role("menuitem", name="Move below…").click()
    page.page.get_by_role("menuitem", name="To the top").click()
    page.tab.told("Moved to the top")
    page.mailbox("Journeys").click(button="right")
    page.page.get_by_role("menuitem", name="Delete…").click()
    page.page.get_by_role("dialog").get_by_role("button", name="Delete mailbox").click()
    page.mailbox("Journeys").wait_for(state="detached")


@browsing.only_chromium("tells of connections that fail as errors of the page")
def test_without_network(house, mail):
    put(house, [message("Offline: read before", text="Words to keep")])
    page = mail()
    page.open("Offline: read before").get_by_text("Words to keep").wait_for()
    eventually(lambda: page.page.evaluate("navigator.serviceWorker.controller !== null"), page.tab)
    page.page.context.set_offline(True)
    page.page.reload()
    page.reader("Offline: read before").get_by_text("Words to keep").wait_for()
    page.page.get_by_role("button", name="Offline").wait_for()
    page.keys("d")
    page.tab.told("You are offline")
    page.row("Offline: read before").wait_for()
    page.page.context.set_offline(False)
    page.page.get_by_role("button", name="Offline").wait_for(state="detached")
    # What could not be had is told of by the browser, too.
    page.tab.complaints[:] = [one for one in page.tab.complaints if "ERR_INTERNET_DISCONNECTED" not in one]
    # Nothing is left for whoever comes next.
    page.page.get_by_role("button", name="Account mox@localhost").click()
    page.page.get_by_role("menuitem", name="Log out").click()
    page.page.locator(".login").wait_for()
    assert page.page.evaluate("indexedDB.databases().then(all => all.length)") == 0
    # What was asked while the session ended had no answer.
    page.tab.complaints[:] = [one for one in page.tab.complaints if not one.startswith("401 ")]


def test_what_was_opened_without_network(house, mail):
    """HTML as it was, in a sandbox; files to be seen and to be kept; nothing of it once somebody has logged out."""
    letter = html(
        "Offline: with files",
        '<p style="color: rgb(1, 2, 3)">Painted <b>words</b></p><script>document.body.append("ran")</script>',
    )
    letter.add_attachment(PNG, maintype="image", subtype="png", filename="dot.png")
    letter.add_attachment("grün;1\n", subtype="csv", filename="figures.csv")
    letter.add_attachment(b"\0" * 2_100_000, maintype="application", subtype="zip", filename="large.zip")
    put(house, [letter])
    page = mail()
    eventually(lambda: page.page.evaluate("navigator.serviceWorker.controller !== null"), page.tab)
    page.open("Offline: with files")
    frame = page.page.frame_locator("iframe.document")
    frame.get_by_text("Painted").wait_for()
    kept = """() => new Promise(resolve => {
        const asked = indexedDB.open('moxpy-webmail')
        asked.onsuccess = () => {
            const all = asked.result.transaction('files').objectStore('files').getAllKeys()
            all.onsuccess = () => { asked.result.close(); resolve(all.result.map(key => key.split(' ')[1])) }
        }
    })"""
    eventually(lambda: page.page.evaluate(kept) == ["2", "3", "html"], page.tab)
    page.page.context.set_offline(True)
    page.page.reload()
    within = frame.frame_locator("iframe")
    assert within.get_by_text("Painted").evaluate("one => getComputedStyle(one).color") == "rgb(1, 2, 3)"
    assert within.locator("body").inner_text().strip() == "Painted words"
    assert within.locator("body").evaluate("() => origin") == "null"
    reader = page.reader("Offline: with files")
    assert reader.locator(".attachments img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 1
    reader.get_by_role("button", name="View figures.csv").click()
    page.page.get_by_role("dialog", name="Attachment figures.csv").frame_locator("iframe").get_by_text(
        "grün;1"
    ).wait_for()
    page.keys("Escape")
    with page.page.expect_download() as download:
        reader.get_by_role("button", name="Download figures.csv").click()
    assert Path(download.value.path()).read_text().strip() == "grün;1"
    page.page.context.set_offline(False)
    page.page.get_by_role("button", name="Offline").wait_for(state="detached")
    page.page.get_by_role("button", name="Account mox@localhost").click()
    page.page.get_by_role("menuitem", name="Log out").click()
    page.page.locator(".login").wait_for()
    assert page.page.evaluate("indexedDB.databases().then(all => all.length)") == 0
    told = ("401 ", "console: Failed to load resource: net::ERR_INTERNET_DISCONNECTED")
    page.tab.complaints[:] = [one for one in page.tab.complaints if not one.startswith(told)]


def test_nothing_is_seen_behind_the_login(house, mail):
    """What the browser kept of an earlier visit is not for who stands before the login."""
    put(house, [message("Behind the login: a secret", text="x")])
    page = mail()
    page.row("Behind the login: a secret").wait_for()
    page.page.context.clear_cookies()
    page.page.reload()
    page.page.locator(".login").wait_for()
    page.page.locator(".mailapp").wait_for(state="hidden")
    page.tab.enter()
    page.tab.logged_in()
    page.row("Behind the login: a secret").wait_for()
    page.tab.complaints.clear()
