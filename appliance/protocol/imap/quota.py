"""The grammar of QUOTA (RFC 9208 §7)."""

from appliance.protocol.imap.command import GetQuota, SetQuota
from appliance.protocol.imap.lexer import Lexer, bad


def parse_getquota(lexer: Lexer) -> GetQuota:
    """What follows `GETQUOTA `. Lenient: Python's imaplib sends nothing for the empty name."""
    root = "" if lexer.at_end else lexer.text()
    lexer.end()
    return GetQuota(root)


def parse_setquota(lexer: Lexer) -> SetQuota:
    """What follows `SETQUOTA `."""
    root = lexer.text()
    lexer.expect(b" (")
    limits: dict[str, int] = {}
    if not lexer.at(b")"):
        while True:
            resource = lexer.word()
            lexer.space()
            limits[resource] = lexer.number()
            if len(limits) > lexer.limits.arguments:
                raise bad("too many resources")
            if not lexer.take(b" "):
                break
    lexer.expect(b")")
    lexer.end()
    return SetQuota(root, tuple(limits.items()))
