"""The grammar of commands about access control lists (RFC 4314 §7).

Rights are checked here, since one that does not exist is bad grammar (RFC 4314 §3.1); what identifiers there are is for
others to know. They are NFC text: SASLprep's other mappings would only hide that an identifier is nobody's.
"""

from typing import Final, Literal

from appliance.mail.nfc import nfc
from appliance.protocol.imap.command import DeleteAcl, ListRights, SetAcl
from appliance.protocol.imap.lexer import Lexer, bad

#: The rights of RFC 4314 §2.1, and `c` and `d` of RFC 2086.
LETTERS: Final = frozenset("lrswipkxteacd")


def _identifier(lexer: Lexer) -> str:
    text = nfc(lexer.text())
    if not text or not text.isprintable():
        raise bad("bad identifier")
    return text


def parse_setacl(lexer: Lexer) -> SetAcl:
    """What follows `SETACL `."""
    mailbox = lexer.mailbox()
    lexer.space()
    identifier = _identifier(lexer)
    lexer.space()
    letters = lexer.text()
    lexer.end()
    mode: Literal["=", "+", "-"] = "="
    if letters[:1] == "+":
        mode, letters = "+", letters[1:]
    elif letters[:1] == "-":
        mode, letters = "-", letters[1:]
    if not LETTERS.issuperset(letters):
        raise bad("unknown right")
    return SetAcl(mailbox, identifier, mode, letters)


def parse_deleteacl(lexer: Lexer) -> DeleteAcl:
    """What follows `DELETEACL `."""
    mailbox = lexer.mailbox()
    lexer.space()
    identifier = _identifier(lexer)
    lexer.end()
    return DeleteAcl(mailbox, identifier)


def parse_listrights(lexer: Lexer) -> ListRights:
    """What follows `LISTRIGHTS `."""
    mailbox = lexer.mailbox()
    lexer.space()
    identifier = _identifier(lexer)
    lexer.end()
    return ListRights(mailbox, identifier)
