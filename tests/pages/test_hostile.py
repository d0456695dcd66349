"""Letters that try to run something, to fetch something, or to take the page apart, in a browser: nothing comes of them."""

import imaplib
import re
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import hostilehtml, served
from support.browsing import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

LETTERS = dict(hostilehtml.messages())


@pytest.fixture(scope="module")
def house(browser: "Browser", moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    """With all of the letters."""
    with served.running(moxpy, tmp_path_factory.mktemp("hostile") / "local") as house:
        with smtplib.SMTP(house.host, house.smtp) as smtp:
            for octets in LETTERS.values():
                smtp.sendmail("eve@evil.example", ["mox@localhost"], octets, ["BODY=8BITMIME"])
        yield house


def ids_of(house: served.House) -> dict[str, str]:
    """The ids of all messages by the name of the letter, as IMAP tells them."""
    with imaplib.IMAP4(house.host, house.imap) as imap:
        imap.login(house.user, house.password)
        imap.select("Inbox", readonly=True)
        _, answers = imap.fetch("1:*", "(EMAILID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    found = [one for one in answers if isinstance(one, tuple)]
    names = [re.search(rb"<([^@]*)@", octets) for _, octets in found]
    ids = [re.search(rb"EMAILID \(([^)]*)\)", line) for line, _ in found]
    return {name[1].decode(): id[1].decode() for name, id in zip(names, ids, strict=True) if name and id}


#: Shows documents as the page does, and says how it was.
SHOW = """async ([ids, what]) => {
  const frames = ids.map(id => {
    const frame = document.createElement('iframe')
    frame.setAttribute('sandbox', 'allow-popups allow-popups-to-escape-sandbox')
    frame.src = `msg/${id}/${what}`
    return frame
  })
  await Promise.all(frames.map(frame => new Promise(resolve => { frame.onload = resolve; document.body.append(frame) })))
  await new Promise(resolve => setTimeout(resolve, 50))
  const reachable = frames.some(frame => { try { return frame.contentDocument !== null } catch { return false } })
  for (const frame of frames) frame.remove()
  return {
    caught: window.caught !== undefined, reachable, place: location.pathname, whole: document.querySelector('script[src]') !== null,
  }
}"""

#: Frames at a time.
SOME = 12


#: Those that are looked at one by one; frames have all of them.
ONE_BY_ONE = 3


def in_batches(ids: dict[str, str]) -> Iterator[tuple[list[str], list[str]]]:
    """Names of letters and their ids."""
    pairs = list(ids.items())
    for at in range(0, len(pairs), SOME):
        yield [name for name, _ in pairs[at : at + SOME]], [id for _, id in pairs[at : at + SOME]]


@pytest.fixture
def watched(tab, house) -> Iterator[tuple[Tab, list[str], dict[str, Any]]]:
    one = tab("webmail", "")
    asked: list[str] = []
    context = one.page.context
    own = one.root.split("/webmail/")[0]
    context.on(
        "request", lambda request: asked.append(request.url) if not request.url.startswith((own, "data:")) else None
    )
    context.on("page", lambda page: asked.append(f"window {page.url}"))
    one.page.on("dialog", lambda dialog: (asked.append(f"dialog {dialog.message}"), dialog.dismiss()))
    ids = ids_of(house)
    assert set(ids) == set(LETTERS)
    yield one, asked, ids
    # The policies of frames say what they refused; that is no complaint of ours here.
    one.complaints.clear()


@pytest.mark.parametrize("what", ["html", "text", "msghtml"])
def test_nothing_runs_and_nothing_is_fetched(watched, what):
    one, asked, ids = watched
    for names, some in in_batches(ids):
        found = one.page.evaluate(SHOW, [some, what])
        assert found == {"caught": False, "reachable": False, "place": "/webmail/", "whole": True}, names
        assert asked == [], names
    # Not even the policy had to refuse anything: it is the second wall.
    assert [complaint for complaint in one.complaints if "Content Security Policy" in complaint] == []


def test_what_was_asked_for_is_fetched_and_nothing_runs(watched):
    one, asked, ids = watched
    for names, some in in_batches(ids):
        found = one.page.evaluate(SHOW, [some, "htmlexternal"])
        assert not found["caught"], names
        assert not [url for url in asked if not url.startswith((hostilehtml.TRAP, "https://trap.test"))], names
    # Pictures were wanted; scripts, frames, style sheets and forms never are.
    paths = {url.split("trap.test")[1] for url in asked}
    assert "/i.png" in paths
    assert not paths & {"/a.js", "/b.js", "/m.js", "/s.css", "/i.css", "/j.css", "/r", "/ping", "/g", "/o", "/t"}


def test_in_a_window_of_its_own(watched):
    """The sandbox of the frame is not there; that of the policy is."""
    one, asked, ids = watched
    window = one.page.context.new_page()
    asked.clear()
    window.on("dialog", lambda dialog: (asked.append(f"dialog {dialog.message}"), dialog.dismiss()))
    for name, id in list(ids.items())[::ONE_BY_ONE]:
        # A stranger's page may not be opened by typing its address only: it is opened by ours, with its cookie.
        window.goto(f"{one.root}msg/{id}/msghtml")
        assert window.evaluate("window.caught") is None, name
        assert window.evaluate("self.origin") == "null", name
        assert window.url.endswith(f"/msg/{id}/msghtml"), name
        assert asked == [], name
    window.close()


def test_the_page_around_them(watched):
    """Each is opened in the webmail itself, as text and as HTML: the page stays whole, and what it says is theirs is text."""
    one, asked, ids = watched
    page = one.page
    for name, id in list(ids.items())[::ONE_BY_ONE]:
        page.evaluate("place => { location.hash = place }", f"#Inbox,{id}")
        # The subject of each says which it is, tags and all.
        page.locator(".area.message").get_by_role(
            "heading", name=f"{name} <script>top.caught=1</script>"
        ).first.wait_for()
        html = page.locator(".area.message").get_by_role("button", name="HTML", exact=True)
        if html.count():
            html.first.click()
            page.locator(".area.message iframe").first.wait_for()
        assert page.evaluate("window.caught") is None, name
        assert asked == [], name
    assert page.locator(".top").is_visible()
    assert page.locator("script:not([src])").count() == 0
    assert page.evaluate("Object.keys(window).includes('caught')") is False
