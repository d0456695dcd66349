import pytest

from appliance.mail import sniff


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wave"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b\x08", "application/x-gzip"),
        (b"<?xml version", "text/xml; charset=utf-8"),
        (b" \n<!DOCTYPE html>", "text/html; charset=utf-8"),
        (b"<p>x", "text/html; charset=utf-8"),
        (b"<pre>x", "text/plain; charset=utf-8"),
        (b"BEGIN:VCALENDAR", "text/plain; charset=utf-8"),
        ("\u00fc\tb\r\n\x1b[0m".encode(), "text/plain; charset=utf-8"),
        (b"", "text/plain; charset=utf-8"),
        (b"a\x00b", "application/octet-stream"),
        (b"\x01", "application/octet-stream"),
        (b"a" * 512 + b"\x00", "text/plain; charset=utf-8"),
    ],
)
def test_media_type(beginning, expected):
    assert sniff.media_type(beginning) == expected
