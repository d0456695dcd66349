"""Mail as it comes: the same messages every time, of realistic sizes and shapes.

Headers of 2 to 4 KB (trace, authentication, signature, list), mostly multipart/alternative bodies, every tenth with an
attachment; about 14 KB on average.
"""

import base64
import functools
import itertools
import random
from datetime import UTC, datetime, timedelta

#: Stands in the bodies of three messages of the corpus: plain, in base64, in quoted-printable.
RARE = "zebrafinchology"
START = datetime(2025, 1, 1, tzinfo=UTC)
_WORDS = (
    "the of and to in is for that with on as are this be at from your by or we you it can an will all have has more new "
    "order invoice meeting project update report please find attached schedule account service team customer payment "
    "delivery question answer regards thanks tomorrow yesterday monday friday budget contract design review version "
    "release server message network system request information available important different following support"
).split()


def internal_date(number: int) -> datetime:
    """When message `number` arrived: one an hour."""
    return START + timedelta(hours=number)


def append_head(number: int) -> bytes:
    """Flags and date for APPEND: every other message seen, every fiftieth flagged."""
    flags = [r"\Seen"] * (number % 2) + [r"\Flagged"] * (number % 50 == 0)
    return f'({" ".join(flags)}) "{internal_date(number):%d-%b-%Y %H:%M:%S} +0000"'.encode()


def rare_numbers(count: int) -> dict[int, str]:
    """Which of `count` messages hold the rare word, and in which encoding."""
    return {count // 7: "plain", count // 3: "base64", count * 4 // 5: "quoted-printable"}


def message(number: int, count: int, *, varied: bool = False) -> bytes:
    """Message `number` of a corpus of `count`, CRLF line ends; `varied`: with many words, some frequent, most rare."""
    dice = random.Random(number)
    kind = rare_numbers(count).get(number)
    shape = dice.random()
    text = (_varied_text if varied else _text)(dice, dice.randint(600, 6000))
    if kind:
        text = f"{text}\nAbout {RARE} I know little.\n"
    lines = _header(dice, number)
    if shape < 0.25 and not kind:
        lines += ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", text]
    else:
        outer, inner = (
            f"=_outer_{number:08d}_{dice.getrandbits(64):x}",
            f"=_inner_{number:08d}_{dice.getrandbits(64):x}",
        )
        alternative = [
            f"--{inner}",
            "Content-Type: text/plain; charset=utf-8",
            *_encoded(text, kind or dice.choice(["plain", "quoted-printable", "quoted-printable", "base64"])),
            f"--{inner}",
            "Content-Type: text/html; charset=utf-8",
            *_encoded(_html(text, dice, bare=kind is not None), "quoted-printable"),
            f"--{inner}--",
        ]
        if shape < 0.9:
            lines += [
                f'Content-Type: multipart/alternative; boundary="{inner}"',
                "",
                "This is a multi-part message.",
                *alternative,
            ]
        else:
            blob = base64.encodebytes(dice.randbytes(dice.choice([8_000, 25_000, 90_000]))).decode().splitlines()
            lines += [
                f'Content-Type: multipart/mixed; boundary="{outer}"',
                "",
                f"--{outer}",
                f'Content-Type: multipart/alternative; boundary="{inner}"',
                "",
                *alternative,
                f"--{outer}",
                f'Content-Type: application/pdf; name="report-{number}.pdf"',
                f'Content-Disposition: attachment; filename="report-{number}.pdf"; size={len(blob) * 57}',
                "Content-Transfer-Encoding: base64",
                "",
                *blob,
                f"--{outer}--",
            ]
    return "\n".join([*lines, ""]).replace("\n", "\r\n").encode()


def plain(size: int) -> bytes:
    """A simple message of `size` octets, ending in CRLF, with no line beginning with a dot."""
    head = (
        b"From: <sender@localhost>\r\nTo: <mox@localhost>\r\nSubject: measured\r\nMessage-ID: <%d@localhost>\r\n\r\n"
        % size
    )
    line = b"The quick brown fox jumps over the lazy dog, again and again and again.\r\n"
    body = line * ((size - len(head)) // len(line) + 1)
    return head + body[: size - len(head) - 2] + b"\r\n"


def _text(dice: random.Random, size: int) -> str:
    lines, total = [], 0
    while total < size:
        line = " ".join(dice.choices(_WORDS, k=dice.randint(6, 12)))
        if dice.random() < 0.05:
            line += " Grüße"
        lines.append(line)
        total += len(line) + 1
    return "\n".join(lines)


@functools.cache
def vocabulary() -> tuple[list[str], list[float]]:
    """Sixty thousand words, and their frequencies added up: the n-th word comes about 1/n as often as the first."""
    dice = random.Random(5)
    syllables = "ba ne ti ro su la mi ker ton ing est al ver po cha der ou qui sh ent".split()
    words = list(
        dict.fromkeys("".join(dice.choices(syllables, k=dice.choice([1, 2, 2, 3, 3, 4, 5]))) for _ in range(60_000))
    )
    return words, list(itertools.accumulate(1 / (place + 2.7) for place in range(len(words))))


def _varied_text(dice: random.Random, size: int) -> str:
    words, frequencies = vocabulary()
    lines, total = [], 0
    while total < size:
        line = " ".join(dice.choices(words, cum_weights=frequencies, k=dice.randint(6, 12)))
        lines.append(line)
        total += len(line) + 1
    return "\n".join(lines)


def _html(text: str, dice: random.Random, *, bare: bool) -> str:
    """`bare` leaves the text out, so that the rare word stands once, in the encoding that was asked for."""
    body = "".join(
        f'<tr><td style="font-family:Arial,sans-serif;font-size:14px;color:#{dice.getrandbits(24):06x}">{line}</td></tr>\n'
        for line in ([] if bare else text.splitlines())
    )
    return f'<!DOCTYPE html><html><body><table width="600" cellpadding="0">\n{body}</table></body></html>'


def _encoded(text: str, encoding: str) -> list[str]:
    if encoding == "base64":
        return ["Content-Transfer-Encoding: base64", "", *base64.encodebytes(text.encode()).decode().splitlines()]
    if encoding == "quoted-printable":
        escaped = text.replace("=", "=3D").encode().decode("latin-1")
        return [
            "Content-Transfer-Encoding: quoted-printable",
            "",
            *("".join(c if c < "\x7f" else f"={ord(c):02X}" for c in line) for line in _soft(escaped)),
        ]
    return ["Content-Transfer-Encoding: 8bit", "", *text.splitlines()]


def _soft(text: str) -> list[str]:
    """Lines of at most 60 characters by soft breaks, never within an escape or a word."""
    lines = []
    for long in text.splitlines():
        line = ""
        for word in long.split(" "):
            if line and len(line) + len(word) > 60:
                lines.append(line + " =")
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def _header(dice: random.Random, number: int) -> list[str]:
    token = f"{dice.getrandbits(96):x}"
    date = f"{internal_date(number):%a, %d %b %Y %H:%M:%S} +0000"
    name = dice.choice(["Alice Example", "Bob Beispiel", "=?utf-8?q?J=C3=BCrgen_M=C3=BCller?=", '"Shop, The"'])
    subject = dice.choice(
        [" ".join(dice.choices(_WORDS, k=6)), f"=?utf-8?B?{base64.b64encode('Grüße aus Köln'.encode()).decode()}?="]
    )
    lines = ["Return-Path: <bounce-" + token + "@mailer.example>"]
    for hop in range(dice.randint(3, 6)):
        lines += [
            f"Received: from mx{hop}.mailer.example (mx{hop}.mailer.example [192.0.2.{hop + 1}])",
            f"\tby relay{hop}.example.net (Postfix) with ESMTPS id {dice.getrandbits(48):x}",
            "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))",
            f"\tfor <mox@localhost>; {date}",
        ]
    lines += [
        "Authentication-Results: mx.example.net;",
        f"\tdkim=pass header.d=mailer.example header.s=s1 header.b={token[:8]};",
        "\tspf=pass smtp.mailfrom=mailer.example; dmarc=pass header.from=mailer.example",
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=mailer.example; s=s1;",
        "\th=from:to:subject:date:message-id:mime-version:content-type;",
        f"\tbh={base64.b64encode(dice.randbytes(32)).decode()};",
        "\tb=" + "\n\t ".join(base64.b64encode(dice.randbytes(48)).decode() for _ in range(5)),
        f"From: {name} <person{number % 400}@mailer.example>",
        'To: "Mox" <mox@localhost>',
        *([f"Cc: <friend{dice.randint(1, 50)}@example.org>, <list@example.org>"] if dice.random() < 0.4 else []),
        f"Subject: {subject} {number}",
        f"Date: {date}",
        f"Message-ID: <{token}.{number}@mailer.example>",
        *([f"In-Reply-To: <{token}.{number - 1}@mailer.example>"] if dice.random() < 0.4 else []),
        *(
            [f"References: {chr(10).join(f' <{dice.getrandbits(96):x}@mailer.example>' for _ in range(5))}"]
            if dice.random() < 0.3
            else []
        ),
        *(
            ["List-Id: <news.mailer.example>", "List-Unsubscribe: <https://mailer.example/u?" + token * 3 + ">"]
            if dice.random() < 0.5
            else []
        ),
        f"X-Mailer-Tracking: {base64.b64encode(dice.randbytes(dice.randint(60, 400))).decode()[:900]}",
        "MIME-Version: 1.0",
    ]
    return lines
