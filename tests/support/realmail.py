"""An account as people have them, for pictures of webmail: friends and a firm, newsletters, a mailing list, bills, files,
other scripts, drafts, junk. All of it is invented."""

import contextlib
import email.utils
import imaplib
import smtplib
import struct
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP

from support.served import House

MOX = "Mox Ahrens <mox@localhost>"
ANNA, JONAS = "Anna Berger <anna@berger.example>", "Jonas Lindqvist <jonas.lindqvist@nordlicht.example>"
PRIYA, TOM = "Priya Raman <priya@nordlicht.example>", "Tom O’Neill <tom@oneill.example>"
MANY = ", ".join(
    f"{name} <{name.split()[-1].lower().replace('í', 'i').replace('ı', 'i')}@nordlicht.example>"
    for name in (
        "Jonas Lindqvist", "Priya Raman", "Elif Yılmaz", "Kwame Mensah", "Sofia Rossi", "Bartholomäus von und zu Hohenstein-Wittelsbach",
        "Li Wei", "Chloé Dubois", "Noah Peeters", "Ingrid Bakke", "Mateo García", "Aoife Byrne",
    )
)  # fmt: skip
NEWSLETTER = """<html><body style="margin:0;background:#f2efe9;font-family:Georgia,serif">
<table width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" style="padding:24px 12px">
<table width="600" style="max-width:100%;background:#ffffff" cellpadding="0" cellspacing="0">
<tr><td style="background:#1d3b2f;color:#ffffff;padding:28px 36px;font-size:28px">The Slow Kitchen</td></tr>
<tr><td><img src="https://pictures.slowkitchen.example/bread.jpg" width="600" height="220" alt="A loaf of rye bread" style="max-width:100%"></td></tr>
<tr><td style="padding:28px 36px;font-size:17px;line-height:1.6;color:#222222">
<p style="font-size:24px;margin-top:0">Bread in three days</p>
<p>Good bread asks for little work and much time. This week we bake a rye loaf that begins on Thursday evening
and is eaten on Sunday morning, with salted butter and nothing else.</p>
<p><a href="https://slowkitchen.example/rye" style="background:#c4572e;color:#ffffff;padding:12px 22px;text-decoration:none">Read the recipe</a></p>
<p>Also in this letter: what to do with the last apples, and why your knife is blunt.</p></td></tr>
<tr><td style="padding:20px 36px;background:#faf7f1;font-size:13px;color:#777777">You get this because you asked for it at
slowkitchen.example. <a href="https://slowkitchen.example/off">Unsubscribe</a></td></tr></table></td></tr></table></body></html>"""
RECEIPT = """<p>Hello Mox,</p><p>thank you for your order. It leaves our warehouse <b>tomorrow</b>.</p>
<table border="1" cellpadding="6" style="border-collapse:collapse"><tr><th align="left">Article</th><th>Number</th><th>Price</th></tr>
<tr><td>Bicycle lamp, front</td><td align="center">1</td><td align="right">€ 39.90</td></tr>
<tr><td>Inner tube 28″</td><td align="center">2</td><td align="right">€ 13.80</td></tr>
<tr><td colspan="2"><b>Sum</b></td><td align="right"><b>€ 53.70</b></td></tr></table><p>Your Radhaus</p>"""


@dataclass
class Letter:
    sender: str
    subject: str
    text: str
    minutes: float = 0
    mailbox: str = "INBOX"
    flags: str = ""
    to: str = MOX
    html: str = ""
    #: Name and type and content.
    files: Iterable[tuple[str, str, bytes]] = ()
    id: str = ""
    answers: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def made(self, now: float) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = self.sender, self.to, self.subject
        message["Date"] = email.utils.formatdate(now - self.minutes * 60)
        message["Message-ID"] = (
            f"<{self.id}@mail.example>" if self.id else email.utils.make_msgid(domain="mail.example")
        )
        if self.answers:
            message["References"] = " ".join(f"<{one}@mail.example>" for one in self.answers)
            message["In-Reply-To"] = f"<{self.answers[-1]}@mail.example>"
        for name, value in self.headers.items():
            message[name] = value
        message.set_content(self.text)
        if self.html:
            message.add_alternative(self.html, subtype="html")
        for name, kind, content in self.files:
            main, sub = kind.split("/")
            message.add_attachment(content, maintype=main, subtype=sub, filename=name)
        return message


def picture(width: int, height: int, first: tuple[int, int, int], last: tuple[int, int, int]) -> bytes:
    """A PNG that goes from one colour to another."""
    lines = bytearray()
    for y in range(height):
        share = y / max(1, height - 1)
        lines += b"\0" + bytes(round(a + (b - a) * share) for a, b in zip(first, last, strict=True)) * width

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(lines))) + chunk(b"IEND", b"")
    )


PDF = b"%PDF-1.4\n" + b"0" * 240_000
DUSK = picture(1200, 800, (36, 42, 92), (240, 140, 90))
SEA = picture(1200, 800, (140, 200, 230), (20, 80, 120))
PHOTOGRAPHS = [
    ("IMG_2041.png", "image/png", DUSK), ("IMG_2042.png", "image/png", SEA),
    ("The whole family at the lake, with the dog and both grandmothers.png", "image/png", picture(800, 1200, (90, 140, 60), (230, 220, 170))),
    ("route.pdf", "application/pdf", PDF), ("costs.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK" + b"x" * 18_000),
    ("everything.zip", "application/zip", b"PK" + b"x" * 900_000), ("song.mp3", "audio/mpeg", b"ID3" + b"x" * 3_100_000),
]  # fmt: skip
PLAN = """Hi all,

I have moved the dates once more. Nobody can be in Gothenburg before the 14th, so we begin there on
the 15th and go on to Oslo by train: https://www.sj.example/booking/8H2K4

What is still open:

- Who brings the projector?
- Is the small room in Oslo big enough for eleven of us?

Best,
Jonas

--\x20
Jonas Lindqvist
Nordlicht AB, Göteborg
"""
HOUR, DAY = 60, 24 * 60
WEEK = 7 * DAY
SEEN, FLAGGED = "\\Seen", "\\Seen \\Flagged"
LETTERS = (
    Letter(ANNA, "Photographs of the lake 🏞️", "Here they are at last! The one with both grandmothers is my favourite.\n\nWhen do you come again?\n\nAnna\n", 6, files=PHOTOGRAPHS),
    Letter(JONAS, "Offsite in May: dates, trains and who brings what", PLAN, 3 * DAY, flags=SEEN, to=f"{MANY}, {MOX}", id="offsite1"),
    Letter(PRIYA, "Re: Offsite in May: dates, trains and who brings what", "I can bring the projector.\n\nOn 23 Nov Jonas Lindqvist wrote:\n> Who brings the projector?\n> Is the small room in Oslo big enough for eleven of us?\n", 2 * DAY, flags=SEEN, to=f"{MANY}, {MOX}", id="offsite2", answers=("offsite1",)),
    Letter(MOX, "Re: Offsite in May: dates, trains and who brings what", "Eleven is too many for the small room. I ask for the other one.\n", 2 * DAY - 90, "Sent", SEEN, to=MANY, id="offsite3", answers=("offsite1", "offsite2")),
    Letter(JONAS, "Re: Offsite in May: dates, trains and who brings what", "Then we are complete. Thank you, Priya!\n\nMox: did they answer?\n\n> > Who brings the projector?\n> I can bring the projector.\n", 25, to=f"{MANY}, {MOX}", id="offsite4", answers=("offsite1", "offsite2", "offsite3")),
    Letter("The Slow Kitchen <letter@slowkitchen.example>", "Bread in three days, the last apples, and why your knife is blunt", "Good bread asks for little work and much time. This week we bake a rye loaf that begins on Thursday evening.\n\nhttps://slowkitchen.example/rye\n", 95, html=NEWSLETTER, headers={"List-Id": "The Slow Kitchen <letter.slowkitchen.example>", "List-Unsubscribe": "<https://slowkitchen.example/off>"}),
    Letter("佐藤 美咲 <misaki.sato@tanaka-design.example>", "来週の打ち合わせについて（資料をお送りします）", "モックス様\n\nいつもお世話になっております。田中デザインの佐藤です。\n来週の打ち合わせの資料をお送りします。ご確認をお願いいたします。\n\n佐藤\n", 3 * HOUR, flags=SEEN, files=[("資料.pdf", "application/pdf", PDF)]),
    Letter("ليلى حداد <layla@haddad.example>", "موعد اجتماع يوم الخميس القادم", "مرحبا موكس،\n\nهل يناسبك أن نلتقي يوم الخميس القادم في الساعة 10:30 صباحا؟ سأرسل لك العنوان لاحقا.\n\nمع أطيب التحيات،\nليلى\n", 5 * HOUR, flags=SEEN),
    Letter("Radhaus <orders@radhaus.example>", "Your order 2026-48113 is on its way", "Thank you for your order. It leaves our warehouse tomorrow.\n", 7 * HOUR, flags=SEEN, html=RECEIPT),
    Letter("Stadtwerke <rechnung@stadtwerke.example>", "Ihre Jahresabrechnung Strom und Gas für die Verbrauchsstelle Lindenallee 14, Vertragskonto 2210-883-001, ist jetzt verfügbar", "Guten Tag Herr Ahrens,\n\nanbei erhalten Sie Ihre Jahresabrechnung.\n", DAY + 2 * HOUR, flags=f"{FLAGGED} bills", files=[("Jahresabrechnung-2026.pdf", "application/pdf", PDF)]),
    Letter(TOM, "Saturday?", "Fancy a walk up the hill on Saturday? Weather looks decent, and there’s the new café at the top.\n", DAY + 5 * HOUR, flags=f"{SEEN} \\Answered", id="saturday"),
    Letter("GitForge <notifications@gitforge.example>", "[nordlicht/atlas] Tiles at zoom 14 are drawn twice (#812)", "kwame opened an issue:\n\nSince 4.2 tiles at zoom 14 are drawn twice when the window is resized.\n\n    atlas.view.resize(1200, 800)\n\nhttps://gitforge.example/nordlicht/atlas/issues/812\n", 2 * DAY + 40, flags=f"{SEEN} work", headers={"List-Id": "nordlicht/atlas <atlas.nordlicht.gitforge.example>"}),
    Letter("Dr. med. Aylin Kaya <praxis@kaya.example>", "Reminder: your appointment on Tuesday at 09:20", "Please bring your insurance card.\n", 2 * DAY + 200, flags=FLAGGED),
    Letter("python-list <list@python.example>", "Re: [trio] Cancellation within a nursery that is being closed", "The short answer: shield it.\n\n> > What happens to the others?\n> They are cancelled as well.\n\nThe long answer is in the documentation.\n", 4 * DAY, flags=f"{SEEN} lists work", headers={"List-Id": "trio <trio.python.example>", "List-Post": "<mailto:trio@python.example>"}),
    Letter("Bank of Letters <service@bank.example>", "Your statement for October", "Your statement is ready.\n", 3 * WEEK, flags=f"{SEEN} bills", files=[("statement-2026-10.pdf", "application/pdf", PDF)]),
    Letter("noreply@parcel.example", "Parcel 00340434161094 was handed to your neighbour", "It is with: Schmidt, 2nd floor.\n", 4 * WEEK, flags=SEEN),
    Letter("Grandma <rosa.ahrens@family.example>", "Plum cake", "Dear Mox,\n\nthe recipe: 1 kg of plums, 400 g of flour, and patience.\n\nYour grandma\n", 9 * WEEK, flags=FLAGGED),
    Letter(TOM, "Happy new year!", "🎉🎉🎉\n", 60 * WEEK, flags=SEEN),
    Letter(MOX, "Re: Saturday?", "Yes! At ten, at the gate.\n", DAY + 4 * HOUR, "Sent", SEEN, to=TOM, answers=("saturday",)),
    Letter(MOX, "Offer for the new signs", "Dear Ms Sato,\n\nattached is our offer.\n", 6 * DAY, "Sent", SEEN, to="佐藤 美咲 <misaki.sato@tanaka-design.example>", files=[("offer.pdf", "application/pdf", PDF)]),
    Letter(MOX, "Notes for the talk", "1. Why mail?\n2. What a server does all day\n", 50, "Drafts", "\\Draft \\Seen", to="Priya Raman <priya@nordlicht.example>"),
    Letter("Prince A. <winner@lottery.example>", "YOU WON $$$ 8,500,000.00 — claim NOW", "Dear friend, you have won. Cheap pills, too.\n", 300, "Junk", ""),
    Letter("Pills <offer@cheap.example>", "Cheap pills without prescription", "Cheap pills. Buy now.\n", 2 * DAY, "Junk", "\\Seen"),
    Letter("Conference <cfp@conf.example>", "Call for papers", "The deadline is near.\n", 2 * WEEK, "Archive", SEEN),
    *(Letter(PRIYA, f"Minutes of week {week}", "As discussed.\n", (50 - week) * WEEK, "Projects/Atlas/2026", SEEN if week % 4 else "") for week in range(36, 48)),
    Letter(ANNA, "Flat viewing on Friday at six", "Third floor, no lift, but what a view.\n", 8 * DAY, "Home", SEEN),
)  # fmt: skip
MAILBOXES = ("Home", "Home/Insurance", "Projects", "Projects/Atlas", "Projects/Atlas/2026", "Projects/Nordlicht", "Receipts")  # fmt: skip


def put(house: House) -> None:
    """All of it, and one that comes the usual way."""
    now = time.time()
    with imaplib.IMAP4(house.host, house.imap) as client:
        client.login(house.user, house.password)
        for name in MAILBOXES:
            client.create(name)
            client.subscribe(name)
        for one in sorted(LETTERS, key=lambda letter: -letter.minutes):
            when = imaplib.Time2Internaldate(now - one.minutes * 60)
            client.append(one.mailbox, one.flags, when, one.made(now).as_bytes())
    shop = "Shop <hello@shop.example>"
    deliver(
        house,
        Letter(shop, "Welcome, Ann! Here is how it goes on", "Hello Ann.\n", to="ann@shop.example", html=RECEIPT),
        "ann@shop.example",
    )
    deliver(house, Letter(shop, "Your password was changed", "Hello Bob.\n", to="bob@shop.example"), "bob@shop.example")
    deliver(
        house,
        Letter(
            "Elif Yılmaz <elif@nordlicht.example>", "Do you have ten minutes today?", "It is about the tiles.\n\nElif\n"
        ),
    )


def deliver(house: House, letter: Letter, to: str = "mox@localhost") -> None:
    """By SMTP, as other servers bring it."""
    with contextlib.closing(smtplib.SMTP(house.host, house.smtp, timeout=10)) as client:
        client.sendmail(email.utils.parseaddr(letter.sender)[1], [to], letter.made(time.time()).as_bytes())
