"""What names mailboxes may have, and how they look on the wire (RFC 3501 §5.1.3, RFC 9051 §5.1, RFC 6855 §3)."""

from pathlib import Path

from support.imaphouse import Client, open_house

#: In modified UTF-7, in UTF-8, and what comes of it: None when CREATE succeeds, else the response code.
NAMES = [
    (b"plain", b"plain", None),
    (b"Two words", b"Two words", None),
    (b'quo"te\\d', b'quo"te\\d', None),
    (b"a&-b", b"a&b", None),
    (b"percent%", b"percent%", None),
    (b"[brackets]", b"[brackets]", None),
    (b"NIL", b"NIL", None),
    (b"Entw&APw-rfe", "Entwürfe".encode(), None),
    (b"&ZeVnLIqe-/&U,BTFw-", "日本語/台北".encode(), None),
    (b"&2D3eAA-", "😀".encode(), None),
    (b"inBOX/x", b"inbox/y", None),
    (b"x" * 200, b"y" * 200, None),
    (b"x" * 201, b"y" * 201, "LIMIT"),
    (b"&" + b"AOkA6QDp" * 33 + b"AOk-", "ê".encode() * 100, None),
    (b"&" + b"AOkA6QDp" * 33 + b"AOkA6Q-", "ê".encode() * 101, "LIMIT"),
    (b"/".join([b"x" * 199] * 4 + [b"x" * 200]), b"/".join([b"y" * 199] * 4 + [b"y" * 200]), None),
    (b"/".join([b"x" * 199] * 3 + [b"x" * 200] * 2), b"/".join([b"y" * 199] * 3 + [b"y" * 200] * 2), "LIMIT"),
    (b"/".join([b"x"] * 32), b"/".join([b"y"] * 32), None),
    (b"/".join([b"x"] * 33), b"/".join([b"y"] * 33), "LIMIT"),
    (b"", b"", "CANNOT"),
    (b"/", b"/", "CANNOT"),
    (b"/a", b"/a", "CANNOT"),
    (b"a//b", b"a//b", "CANNOT"),
    (b"a//", b"a//", "CANNOT"),
    (b".", b".", "CANNOT"),
    (b"a/..", b"a/..", "CANNOT"),
    (b"a/./b", b"a/./b", "CANNOT"),
    (b"#news", b"#news", "CANNOT"),
    (b"bell\x07", b"bell\x07", "CANNOT"),
    (b"&ABk-", b"\x19", "CANNOT"),
    (b"&AB8-", b"\x1f", "CANNOT"),
    (b"&AH8-", b"\x7f", "CANNOT"),
    (b"&AIU-", "\x85".encode(), "CANNOT"),
    (b"&ICg-", "\u2028".encode(), "CANNOT"),
    (b"&ICk-", "\u2029".encode(), "CANNOT"),
    # Not what they claim to be.
    (b"&APw", b"\xc3", "CANNOT"),
    (b"&2D0-", b"\xed\xa0\xbd", "CANNOT"),
    (b"&AGE-", b"\xc0\xaf", "CANNOT"),
    (b"\xfc", b"\xfc", "CANNOT"),
    (b"INBOX", b"inbox", "ALREADYEXISTS"),
]


def shown(octets: bytes) -> bytes:
    """As a quoted string that INBOX is written in upper case in."""
    octets = b"INBOX" + octets[5:] if octets[:6].upper() == b"INBOX/" else octets
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


async def listed(client: Client, octets: bytes) -> list[bytes]:
    lines = await client.command(b'LIST "" ' + shown(octets.replace(b"%", b"*")))
    return [line.partition(b' "/" ')[2].strip(b'"') for line in lines[:-1]]


async def _play(client: Client, at: int) -> list[str]:
    wrong = []
    for case in NAMES:
        octets, code = case[at], case[2]
        expected = b"OK" if code is None else b"NO [" + code.encode()
        try:
            await client.command(b"CREATE " + shown(octets), expect=expected)
        except AssertionError as error:
            wrong.append(f"{octets!r}: {error}")
            continue
        if code is None and shown(octets).strip(b'"') not in await listed(client, octets):
            wrong.append(f"{octets!r}: is not listed")
    return wrong


async def test_modified_utf7(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        assert await _play(client, 0) == []
        # The same mailboxes, for one who reads UTF-8.
        await client.command("ENABLE UTF8=ACCEPT")
        for octets in ("Entwürfe", "日本語/台北", "😀", "a&b"):
            assert await listed(client, octets.encode()) == [octets.encode()]


async def test_utf8(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await client.command("ENABLE IMAP4rev2")
        assert await _play(client, 1) == []
        other = await house.log_in()
        for octets in (b"Entw&APw-rfe", b"&ZeVnLIqe-/&U,BTFw-", b"&2D3eAA-", b"a&-b"):
            assert await listed(other, octets) == [octets]


async def test_normalised_names_are_told(tmp_path: Path) -> None:
    """RFC 9051 §6.3.9.7: who uses another form than NFC hears which name it has."""
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        assert (await client.command(b"CREATE U&Awg-"))[0] == b'* LIST (\\Subscribed) "/" &ANw-'
        await client.command(b"DELETE &ANw-")
        await client.command("ENABLE IMAP4rev2")
        create, delete, rename = (
            b'CREATE "x/u\xcc\x88/"',
            b'DELETE "x/u\xcc\x88"',
            b'RENAME "x/u\xcc\x88" "x/o\xcc\x88"',
        )
        lines = await client.command(create)
        assert lines[:-1] == [
            b'* LIST (\\Subscribed) "/" x',
            b'* LIST (\\Subscribed) "/" "x/\xc3\xbc" ("OLDNAME" ("x/u\xcc\x88"))',
        ]
        lines = await client.command(rename)
        assert lines[:-1] == [b'* LIST () "/" "x/\xc3\xb6" ("OLDNAME" ("x/u\xcc\x88"))']
        await client.command(create)
        lines = await client.command(delete)
        assert lines[:-1] == [b'* LIST (\\NonExistent \\Subscribed) "/" "x/\xc3\xbc" ("OLDNAME" ("x/u\xcc\x88"))']


async def test_a_last_slash_is_for_create_only(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await client.command("CREATE a/")
        for words in ("SELECT a/", "DELETE a/", "RENAME a/ b", "RENAME a b/", "SUBSCRIBE a/", "STATUS a/ (MESSAGES)"):
            await client.command(words, expect=b"NO [CANNOT]")
        await client.command("DELETE a")


async def test_renaming_makes_no_name_too_long(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await client.command(b"CREATE " + b"/".join([b"x"] * 20))
        await client.command(b"RENAME x " + b"/".join([b"y"] * 14), expect=b"NO [LIMIT]")
        await client.command(b"RENAME x " + b"/".join([b"y" * 190] * 5), expect=b"OK")
        await client.command(b"RENAME " + b"y" * 190 + b" " + b"z" * 200, expect=b"NO [LIMIT]")
        assert len(await client.command('LIST "" y*')) == 24 + 1
