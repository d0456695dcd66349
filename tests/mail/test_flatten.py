"""Bodies and attachments of messages, and what lists know of them (RFC 8621 §4.1.4)."""

import pytest

from appliance.mail.flatten import flatten
from appliance.mail.part import Part
from appliance.mail.traits import Trait, traits


def part(kind: str, name: str = "", *parts: Part, disposition: str | None = None, cid: str | None = None) -> Part:
    """A part known by its description; a file name where it has a dot."""
    media_type, subtype = kind.split("/")
    named = (("name", name),) if "." in name else ()
    return Part(
        0,
        0,
        0,
        media_type=media_type,
        subtype=subtype,
        description=name,
        parameters=named,
        disposition=disposition,
        content_id=cid,
        parts=parts,
    )


def mixed(*parts: Part) -> Part:
    return part("multipart/mixed", "", *parts)


def alternative(*parts: Part) -> Part:
    return part("multipart/alternative", "", *parts)


def related(*parts: Part) -> Part:
    return part("multipart/related", "", *parts)


PLAIN, HTML, IMAGE = part("text/plain", "P"), part("text/html", "H"), part("image/png", "I")

#: The example of the RFC.
LIST_POST = mixed(
    part("text/plain", "A", disposition="inline"),
    mixed(
        alternative(
            mixed(
                part("text/plain", "B", disposition="inline"),
                part("image/jpeg", "C", disposition="inline"),
                part("text/plain", "D", disposition="inline"),
            ),
            related(part("text/html", "E"), part("image/jpeg", "F")),
        ),
        part("image/jpeg", "G", disposition="attachment"),
        part("application/x-excel", "H"),
        part("message/rfc822", "J", PLAIN),
    ),
    part("text/plain", "K", disposition="inline"),
)


@pytest.mark.parametrize(
    ("root", "text", "html", "attachments"),
    [
        pytest.param(LIST_POST, "A B C D K", "A E K", "C F G H J", id="the RFC's own"),
        pytest.param(PLAIN, "P", "P", "", id="plain"),
        pytest.param(HTML, "H", "H", "", id="HTML"),
        pytest.param(alternative(PLAIN, HTML), "P", "H", "", id="both"),
        pytest.param(alternative(HTML), "H", "H", "", id="an alternative of one"),
        pytest.param(alternative(PLAIN, IMAGE), "P", "P", "I", id="an alternative of another kind"),
        pytest.param(alternative(PLAIN, related(HTML, IMAGE)), "P", "H", "I", id="an image in HTML"),
        pytest.param(mixed(PLAIN, IMAGE), "P I", "P I", "", id="an image below"),
        pytest.param(mixed(PLAIN, part("text/plain", "notes.txt")), "P", "P", "notes.txt", id="a text with a name"),
        pytest.param(mixed(PLAIN, part("text/calendar", "C")), "P", "P", "C", id="a text of another kind"),
        pytest.param(part("application/pdf", "A"), "", "", "A", id="a file alone"),
        pytest.param(
            alternative(mixed(PLAIN, part("text/html", "X")), HTML), "P", "H", "X", id="both within one alternative"
        ),
        pytest.param(mixed(PLAIN, part("message/rfc822", "M", HTML)), "P", "P", "M", id="a message"),
    ],
)
def test_flat(root, text, html, attachments):
    flat = flatten(root)
    shown = [" ".join(one.description for one in parts) for parts in (flat.text, flat.html, flat.attachments)]
    assert shown == [text, html, attachments]


@pytest.mark.parametrize(
    ("root", "found"),
    [
        pytest.param(PLAIN, 0, id="text"),
        pytest.param(mixed(PLAIN, IMAGE), 0, id="an image that is shown"),
        pytest.param(
            mixed(PLAIN, part("image/png", "I", disposition="attachment")),
            Trait.ATTACHMENT | Trait.IMAGE,
            id="an image",
        ),
        pytest.param(related(HTML, part("image/png", "I", cid="a@b")), 0, id="an image that HTML shows"),
        pytest.param(related(HTML, part("image/png", "I", disposition="inline")), 0, id="an image that is inline"),
        pytest.param(related(HTML, IMAGE), Trait.ATTACHMENT | Trait.IMAGE, id="an image that HTML cannot name"),
        pytest.param(
            mixed(PLAIN, part("application/octet-stream", "a.XLSX"), part("application/pdf")),
            Trait.ATTACHMENT | Trait.SPREADSHEET | Trait.PDF,
            id="by name and by type",
        ),
        pytest.param(
            part("multipart/signed", "", PLAIN, part("application/pgp-signature", "s")), Trait.SIGNED, id="signed"
        ),
        pytest.param(
            mixed(part("multipart/signed", "", PLAIN, part("application/pgp-signature", "s")), PLAIN),
            Trait.SIGNED,
            id="signed, and a list's foot",
        ),
        pytest.param(
            part("multipart/encrypted", "", part("application/pgp-encrypted"), part("application/octet-stream")),
            Trait.ENCRYPTED | Trait.ATTACHMENT,
            id="encrypted",
        ),
        pytest.param(part("application/pkcs7-mime"), Trait.ENCRYPTED | Trait.ATTACHMENT, id="S/MIME"),
    ],
)
def test_traits(root, found):
    assert traits(root) == found


def test_ten_thousand_images_take_no_time():
    """One look at each, however many HTML shows."""
    images = [part("image/png", "I", cid=f"{at}@x") for at in range(10_000)]
    flat = flatten(related(HTML, *images, part("image/png", "last")))
    assert [one.description for one in flat.offered] == ["last"]
    assert len(flat.embedded) == len(images)
