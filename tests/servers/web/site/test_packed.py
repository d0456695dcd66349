"""Files in compressed forms: those that lie beside them, and those that are kept; never of another content."""

import gzip
import logging
import os
import random
import shutil
from pathlib import Path

import pytest

from appliance.servers.web.site import packed
from support.sitehouse import sites

HANDLERS = """
[[web_handlers]]
domain = "site.example"
path_regexp = "^/"
compress = true
static = {{ root = "{root}", list_files = true, response_headers = {{ X-Mine = "1" }} }}
"""
TEXT = b"all work and no play makes jack a dull boy\n" * 400
GZIP = "Accept-Encoding: gzip"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (folder / "a.css").write_bytes(TEXT)
    (folder / "below" / "index.html").write_bytes(TEXT)
    (folder / "picture.png").write_bytes(TEXT)
    (folder / "small.txt").write_bytes(TEXT[:900])
    return folder


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data" / packed.FOLDER).glob("*"))


async def test_made_once_and_kept(tmp_path, root):
    async with sites(tmp_path, HANDLERS.format(root=root)) as site:
        for _ in range(2):
            answer = await site.get("/a.css", GZIP)
            assert (answer.status, answer["content-encoding"]) == (200, "gzip")
            assert gzip.decompress(answer.body) == TEXT
            assert answer["content-length"] == str(len(answer.body))
            assert (answer["content-type"], answer["vary"], answer["x-mine"]) == (
                "text/css; charset=utf-8", "accept-encoding", "1",
            )  # fmt: skip
        (file,) = kept(tmp_path)
        assert file.stat().st_mode & 0o777 == 0o600
        tag = answer["etag"]
        assert tag.startswith('W/"')
        assert (await site.get("/a.css", GZIP, f"If-None-Match: {tag}")).status == 304
        head = await site.get("/a.css", GZIP, method="HEAD")
        assert (head["content-length"], head.body) == (answer["content-length"], b"")
        plain = await site.get("/a.css")
        assert (plain.body, plain["content-encoding"], plain["vary"]) == (TEXT, "", "accept-encoding")
        part = await site.get("/a.css", GZIP, "Range: bytes=0-9")
        assert (part.status, part.body, part["content-encoding"]) == (206, TEXT[:10], "")
        assert gzip.decompress((await site.get("/below/", GZIP)).body) == TEXT
        # What is not worth it, or compressed already.
        assert (await site.get("/picture.png", GZIP))["content-encoding"] == ""
        small = await site.get("/small.txt", GZIP)
        assert gzip.decompress(small.body) == TEXT[:900], "on its way"
        assert len(kept(tmp_path)) == 2


async def test_a_changed_file_is_another(tmp_path, root):
    async with sites(tmp_path, HANDLERS.format(root=root)) as site:
        await site.get("/a.css", GZIP)
        status = os.stat(root / "a.css")
        (root / "a.css").write_bytes(TEXT[::-1])
        os.utime(root / "a.css", ns=(status.st_atime_ns, status.st_mtime_ns))
        assert gzip.decompress((await site.get("/a.css", GZIP)).body) == TEXT[::-1]


async def test_one_that_lies_beside(tmp_path, root):
    beside = root / "a.css.gz"
    beside.write_bytes(gzip.compress(b"by hand"))
    (root / "a.css.br").write_bytes(b"as brotli does")
    (root / "picture.png.gz").write_bytes(b"no")
    async with sites(tmp_path, HANDLERS.format(root=root)) as site:
        answer = await site.get("/a.css", GZIP)
        assert gzip.decompress(answer.body) == b"by hand"
        answer = await site.get("/a.css", "Accept-Encoding: gzip, br")
        assert (answer.body, answer["content-encoding"], answer["content-type"]) == (
            b"as brotli does", "br", "text/css; charset=utf-8",
        )  # fmt: skip
        assert (await site.get("/a.css", "Accept-Encoding: gzip;q=0, br;q=0.0")).body == TEXT
        assert (await site.get("/picture.png", GZIP)).body == TEXT
        # By its own name it is what it is.
        assert (await site.get("/a.css.gz", GZIP))["content-type"] == "application/gzip"
        # One that is older is of something else.
        os.utime(beside, (1, 1))
        (root / "a.css.br").unlink()
        assert gzip.decompress((await site.get("/a.css", GZIP)).body) == TEXT
        # Nor does it lead anywhere.
        os.utime(root / "a.css", (0, 0))
        beside.unlink()
        beside.symlink_to("/etc/passwd")
        assert gzip.decompress((await site.get("/a.css", GZIP)).body) == TEXT


async def test_the_least_used_goes(tmp_path, root, monkeypatch):
    chance = random.Random(1)
    for name in "bcd":
        (root / f"{name}.css").write_bytes(bytes(chance.choices(b"abcdefghijklmnop", k=20_000)))
    monkeypatch.setattr(packed.Packed.__init__, "__kwdefaults__", {"most_octets": 25_000})
    async with sites(tmp_path, HANDLERS.format(root=root)) as site:
        for name in "bcbd":
            await site.get(f"/{name}.css", GZIP)
        assert len(kept(tmp_path)) == 2
    left = tmp_path / "data" / packed.FOLDER / "unfinished"
    left.write_bytes(b"x")
    async with sites(tmp_path, HANDLERS.format(root=root)) as site:
        inode = f"-{os.stat(root / 'b.css').st_ino:x}-"
        assert any(inode in path.name for path in kept(tmp_path))
        await site.get("/b.css", GZIP)
        assert len(kept(tmp_path)) == 2
        assert not left.exists()


@pytest.mark.parametrize("trouble", ["full", "no folder", "removed"])
async def test_trouble_with_the_disk_is_nobody_elses(tmp_path, root, monkeypatch, trouble):
    if trouble == "full":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))
    elif trouble == "no folder":
        (tmp_path / "data" / packed.FOLDER).write_bytes(b"")
    async with sites(tmp_path, HANDLERS.format(root=root)) as site:
        for _ in range(2):
            assert gzip.decompress((await site.get("/a.css", GZIP)).body) == TEXT
            if trouble == "removed":
                for path in kept(tmp_path):
                    path.unlink()


async def test_applications_and_what_the_log_says_of_a_request(tmp_path, caplog):
    """Their answers are compressed, too; queries of any URL stay out of the log."""
    answer = b'{"a": "' + b"x" * 5000 + b'"}'

    async def application(scope, receive, send):
        scope["state"]["account"] = "alice"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": answer})

    caplog.set_level(logging.DEBUG, "moxpy.httpaccess")
    async with sites(tmp_path, "", {"webmail": application}) as site:
        fields = (GZIP, "User-Agent: tests", "Referer: https://a.example/b?secret#c")
        got = await site.get("/webmail/x?secret", *fields, host="mail.example.org")
        assert gzip.decompress(got.body) == answer
    (record,) = [one for one in caplog.records if one.name == "moxpy.httpaccess"]
    said = record.fields
    assert {name: said[name] for name in ("account", "useragent", "referer", "unpacked", "status", "handler")} == {
        "account": "alice", "useragent": "tests", "referer": "https://a.example/b", "unpacked": len(answer),
        "status": 200, "handler": "webmail",
    }  # fmt: skip
    assert said["size"] < 100
    assert "secret" not in str(said)
