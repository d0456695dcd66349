"""How names look in JSON: `localpart_case_sensitive` in files and code is `LocalpartCaseSensitive` there, as in mox."""

from typing import Final

#: Words that are not merely capitalised.
_WORDS: Final = {
    word.lower(): word
    for word in (
        "ID IDs IP IPs URL URLs URI QR UID CSRF TOTP HTTP HTTPS JSON API APIs PEM TLS CA ACME SNI STARTTLS RequireTLS "
        "SMTP SMTPUTF8 LMTP IMAP IMAPS DNS DNSSEC DNSBL DNSBLs MX DANE MTASTS STS TLSRPT SPF DKIM DMARC ARC DSN EHLO "
        "SASL UTC TTL ASCII FromID SRV CNAME TXT PTR VAPID HTML"
    ).split()
}


def camel(name: str) -> str:
    """The name in JSON of a field, parameter or function."""
    return "".join(_WORDS.get(word) or word.capitalize() for word in name.strip("_").split("_"))
