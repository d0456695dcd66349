"""What there is to see in webmail, for pictures.py: each scene brings a page that was loaded anew to a state, with the mail
of support/realmail.py; what follows its `yield` takes back what others would see of it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from support import realmail
from support.browsing import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Locator

Scene = Callable[[Tab], Iterator[None]]
OFFSITE = "Offsite in May"


def is_narrow(tab: Tab) -> bool:
    return bool(tab.page.viewport_size and tab.page.viewport_size["width"] < 760)


def row(tab: Tab, text: str) -> "Locator":
    return tab.page.get_by_role("option").filter(has_text=text).first


def go(tab: Tab, place: str) -> None:
    tab.page.goto(f"{tab.root}#{place}")
    tab.page.locator(".rows [role=option], .empty").first.wait_for()


def open_mail(tab: Tab, text: str) -> "Locator":
    row(tab, text).click()
    reader = tab.page.get_by_role("region", name="Message", exact=True)
    reader.locator(".answers").last.wait_for()
    return reader


def mailboxes(tab: Tab) -> None:
    if is_narrow(tab):
        tab.press("Mailboxes")


def of_account(tab: Tab, item: str) -> None:
    tab.page.get_by_role("button", name="Account mox@localhost").click()
    tab.page.get_by_role("menuitem", name=item).click()


def simple(place: str = "Inbox", text: str = "") -> Scene:
    """A list, or a message of it."""

    def scene(tab: Tab) -> Iterator[None]:
        go(tab, place)
        if text:
            open_mail(tab, text)
        yield

    return scene


def newsletter(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    open_mail(tab, "Bread in three days").get_by_role("button", name="HTML", exact=True).click()
    tab.page.frame_locator("iframe.document").get_by_text("Bread in three days").wait_for()
    yield


def selected(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    for text in ("Photographs", "Jahresabrechnung"):
        row(tab, text).locator(".choose").click()
    yield


def unfolded(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    row(tab, OFFSITE).locator(".threadcount").click()
    yield


def hovered(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    row(tab, "Saturday?").hover()
    yield


def below(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    tab.press("Layout")
    tab.page.get_by_role("menuitemcheckbox", name="Message below").click()
    open_mail(tab, "Do you have ten minutes")
    yield
    tab.press("Layout")
    tab.page.get_by_role("menuitemcheckbox", name="As the window allows").click()


def menu(text: str, button: str) -> Scene:
    """Of the message, or above it."""

    def scene(tab: Tab) -> Iterator[None]:
        go(tab, "Inbox")
        open_mail(tab, text).get_by_role("button", name=button, exact=True).last.click()
        yield

    return scene


def row_menu(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    row(tab, "Saturday?").click(button="right")
    yield


def about(item: str, text: str = "Do you have ten minutes") -> Scene:
    """A dialog about a message."""

    def scene(tab: Tab) -> Iterator[None]:
        go(tab, "Inbox")
        open_mail(tab, text).get_by_role("button", name="More about this message").last.click()
        tab.page.get_by_role("menuitem", name=item).click()
        tab.page.locator("dialog[open]").wait_for()
        tab.page.wait_for_timeout(300)
        yield

    return scene


def details(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    open_mail(tab, OFFSITE).locator("button.to").last.click()
    yield


def viewer(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    open_mail(tab, "Photographs").locator(".attachments .file").first.click()
    tab.page.locator(".viewer img").wait_for()
    yield


def drawer(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    mailboxes(tab)
    yield


def mailbox_menu(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    mailboxes(tab)
    tab.page.locator(".mailboxes li").filter(has_text="Projects").first.hover()
    tab.press("Menu of Projects")
    yield


def mailbox_new(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    mailboxes(tab)
    tab.press("New mailbox")
    yield


def search(field: str, *, run: bool = False) -> Scene:
    def scene(tab: Tab) -> Iterator[None]:
        go(tab, "Inbox")
        box = tab.page.get_by_role("combobox", name="Search mail")
        box.fill(field)
        if run:
            box.press("Enter")
            tab.page.get_by_role("heading", name="Search", exact=True).wait_for()
            tab.page.locator(".rows [role=option], .empty").first.wait_for()
        else:
            tab.page.locator(".suggestions").wait_for()
        tab.page.wait_for_timeout(400)
        yield

    return scene


def search_form(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    tab.press("Search form")
    yield


def account_menu(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    tab.page.get_by_role("button", name="Account mox@localhost").click()
    yield


def settings(name: str) -> Scene:
    def scene(tab: Tab) -> Iterator[None]:
        go(tab, "Inbox")
        of_account(tab, "Settings")
        tab.page.get_by_role("tab", name=name).click()
        tab.page.wait_for_timeout(400)
        yield

    return scene


def help_sheet(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    of_account(tab, "Keys and help")
    yield


def palette(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    tab.page.keyboard.press("Control+k")
    tab.page.locator(".palette").wait_for()
    yield


def compose(tab: Tab) -> "Locator":
    go(tab, "Inbox")
    tab.press("Compose") if not is_narrow(tab) else tab.page.locator(".floating button").click()
    window = tab.page.locator(".compose")
    window.get_by_label("Subject").wait_for()
    return window


def discard(tab: Tab) -> None:
    for _ in range(3):
        tab.page.keyboard.press("Escape")
    with_draft = tab.page.get_by_role("button", name="Remove draft")
    if with_draft.count():
        with_draft.last.click()


def compose_empty(tab: Tab) -> Iterator[None]:
    compose(tab)
    yield


def filled(tab: Tab) -> "Locator":
    window = compose(tab)
    to = window.get_by_role("combobox", name="To")
    for address in (realmail.ANNA, realmail.JONAS, "misaki.sato@tanaka-design.example", "not an address"):
        to.fill(address)
        to.press("Enter")
    window.get_by_role("button", name="Cc", exact=True).click()
    window.get_by_role("combobox", name="Cc").fill(
        "The whole team in Oslo <a.very.long.name.of.a.list@lists.department.nordlicht.example>"
    )
    window.get_by_role("combobox", name="Cc").press("Enter")
    window.get_by_label("Subject").fill("Offsite: the room in Oslo is free, and the projector comes with it")
    window.get_by_role("textbox", name="Message", exact=True).fill(
        "Hello everybody,\n\nthe big room is ours from the 15th to the 17th. There are twelve chairs, a kitchen and a door to the garden.\n\nPlease write to me until Friday if you do not eat meat.\n\nMox\n"
    )
    window.locator("input[type=file]").set_input_files(
        [
            {"name": "floor plan.pdf", "mimeType": "application/pdf", "buffer": realmail.PDF},
            {"name": "The view from the window of the kitchen in the morning.png", "mimeType": "image/png", "buffer": realmail.DUSK},
        ]
    )  # fmt: skip
    window.locator(".composefile").nth(1).wait_for()
    tab.page.wait_for_timeout(800)
    return window


def compose_filled(tab: Tab) -> Iterator[None]:
    filled(tab)
    yield


def compose_objections(tab: Tab) -> Iterator[None]:
    window = compose(tab)
    window.get_by_role("textbox", name="Message", exact=True).fill("See the attached file.")
    window.get_by_role("button", name="Send", exact=True).click()
    tab.page.locator("dialog[open]").wait_for()
    yield


def compose_later(tab: Tab) -> Iterator[None]:
    window = filled(tab)
    window.get_by_role("button", name="More ways to send").click()
    tab.page.get_by_role("menuitem", name="Send later").click()
    yield


def compose_names(tab: Tab) -> Iterator[None]:
    window = compose(tab)
    window.get_by_role("combobox", name="To").press_sequentially("nord")
    window.locator(".completions").wait_for()
    yield


def compose_html(tab: Tab) -> Iterator[None]:
    window = compose(tab)
    window.get_by_label("Subject").fill("With formatting")
    window.get_by_role("button", name="More", exact=True).click()
    tab.page.get_by_role("menuitem", name="Write with formatting").click()
    tab.page.wait_for_timeout(700)
    tab.page.locator(".htmlbody").click()
    for keys in ("Control+b", "Three things", "Control+b", "Enter", "First the boat, then the train."):
        if "+" in keys or keys == "Enter":
            tab.page.keyboard.press(keys)
        else:
            tab.page.keyboard.type(keys)
    yield


def reply(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    open_mail(tab, "Do you have ten minutes").locator(".answers button").first.click()
    tab.page.locator(".compose").get_by_label("Subject").wait_for()
    tab.page.wait_for_timeout(500)
    yield


def scheduled(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    mailboxes(tab)
    link = tab.page.get_by_role("link", name="To be sent later")
    tab.page.wait_for_timeout(700)
    if not link.count():
        if is_narrow(tab):
            tab.page.keyboard.press("Escape")
        for subject, when in (
            ("Happy birthday, Grandma!", "Tomorrow morning"),
            ("The figures of November for the meeting of the board on Monday", "In an hour"),
        ):
            window = compose(tab)
            window.get_by_role("combobox", name="To").fill("rosa.ahrens@family.example")
            window.get_by_role("combobox", name="To").press("Enter")
            window.get_by_label("Subject").fill(subject)
            window.get_by_role("textbox", name="Message", exact=True).fill("Dear all,\n\nas promised.\n")
            window.get_by_role("button", name="More ways to send").click()
            tab.page.get_by_role("menuitem", name="Send later").click()
            tab.dialog("Send later").get_by_role("button", name=when).click()
            window.wait_for(state="detached")
        mailboxes(tab)
    link.click()
    tab.dialog("To be sent later").get_by_role("listitem").first.wait_for()
    yield


def toast(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    row(tab, "Parcel 0034").locator(".choose").click()
    tab.press("Archive")
    tab.page.locator(".toast").wait_for()
    yield
    tab.press("Undo", tab.page.locator(".toast"))


def offline(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    open_mail(tab, "Saturday?")
    tab.page.context.set_offline(True)
    tab.page.keyboard.press("Escape")
    row(tab, "Plum cake").click()
    tab.page.wait_for_timeout(1500)
    yield
    tab.page.context.set_offline(False)


def printed(tab: Tab) -> Iterator[None]:
    """The page that is printed."""
    go(tab, "Inbox")
    open_mail(tab, "Bread in three days").get_by_role("button", name="More about this message").last.click()
    with tab.page.expect_popup() as opened:
        tab.page.get_by_role("menuitem", name="Print").click()
    address = opened.value.url
    opened.value.close()
    tab.page.goto(address)
    yield


def caught(tab: Tab) -> Iterator[None]:
    """The inbox for tests, which asks nobody for a login."""
    go(tab, "Inbox")
    mailboxes(tab)
    tab.page.get_by_role("region", name="Caught for").get_by_role("link").nth(1).wait_for()
    yield


def caught_for(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    mailboxes(tab)
    tab.page.get_by_role("region", name="Caught for").get_by_role("link", name="ann@shop.example").click()
    if is_narrow(tab):
        tab.page.keyboard.press("Escape")
    open_mail(tab, "Welcome")
    yield


def caught_clear(tab: Tab) -> Iterator[None]:
    go(tab, "Inbox")
    mailboxes(tab)
    tab.press("Clear all", tab.page.get_by_role("region", name="Caught for"))
    tab.page.locator("dialog[open]").wait_for()
    yield


def loading(tab: Tab) -> Iterator[None]:
    """The list before it has come, and nothing of it is kept."""
    tab.page.goto(tab.root)
    tab.page.evaluate(
        "async () => { for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name) }"
    )
    tab.page.goto("about:blank")
    tab.page.route("**/jmap/api", lambda route: None)
    tab.page.goto(f"{tab.root}#Inbox")
    tab.page.locator(".rows, .spinner").first.wait_for()
    yield
    tab.page.unroute("**/jmap/api")


SCENES: dict[str, Scene] = {
    "list": simple(),
    "list-hover": hovered,
    "list-selected": selected,
    "list-thread": unfolded,
    "list-rowmenu": row_menu,
    "list-empty": simple("Home/Insurance"),
    "list-junk": simple("Junk"),
    "list-sent": simple("Sent"),
    "list-drafts": simple("Drafts"),
    "list-deep": simple("Projects/Atlas/2026"),
    "list-toast": toast,
    "list-loading": loading,
    "message-text": simple(text="Do you have ten minutes"),
    "message-thread": simple(text=OFFSITE),
    "message-details": details,
    "message-html": newsletter,
    "message-receipt": simple(text="Your order 2026"),
    "message-files": simple(text="Photographs"),
    "message-long-subject": simple(text="Jahresabrechnung"),
    "message-japanese": simple(text="来週"),
    "message-arabic": simple(text="موعد"),
    "message-list": simple(text="Cancellation within"),
    "message-junk": simple("Junk", "YOU WON"),
    "message-more": menu("Do you have ten minutes", "More about this message"),
    "message-tools": menu("Do you have ten minutes", "More"),
    "message-move": menu("Do you have ten minutes", "Move to…"),
    "message-labels": menu("Do you have ten minutes", "Labels…"),
    "message-why": about("Why is this here?"),
    "message-rule": about("Rule from this message"),
    "message-internals": about("Internals"),
    "message-viewer": viewer,
    "mailboxes": drawer,
    "mailboxes-menu": mailbox_menu,
    "mailboxes-new": mailbox_new,
    "search-suggestions": search("nor"),
    "search-found": search("projector", run=True),
    "search-nothing": search("unicorn", run=True),
    "search-form": search_form,
    "account-menu": account_menu,
    "settings-reading": settings("Reading"),
    "settings-writing": settings("Writing"),
    "settings-senders": settings("Addresses and signatures"),
    "settings-vacation": settings("Vacation"),
    "settings-browser": settings("This browser"),
    "help": help_sheet,
    "palette": palette,
    "compose-empty": compose_empty,
    "compose-filled": compose_filled,
    "compose-names": compose_names,
    "compose-html": compose_html,
    "compose-reply": reply,
    "compose-objections": compose_objections,
    "compose-later": compose_later,
    "scheduled": scheduled,
    "offline": offline,
    "print": printed,
    "layout-below": below,
}  # fmt: skip
#: Those of the inbox for tests, which has a port of its own.
INBOX: dict[str, Scene] = {
    "inbox": caught,
    "inbox-one": caught_for,
    "inbox-html": about("Check the HTML", "Bread in three days"),
    "inbox-release": about("Release to a real mailbox", "Bread in three days"),
    "inbox-clear": caught_clear,
}  # fmt: skip
#: What only a wide window has.
WIDE = ("layout-below", "list-hover", "list-rowmenu")
