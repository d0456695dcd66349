"""Names of TLS: cipher suites as IANA writes them, alerts, and why a handshake failed, in words for counters."""

import re

#: RFC 8446 §6, and those of older versions that peers still send (RFC 5246 §7.2).
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}
UNRECOGNIZED_NAME = 112
_NUMBERS = {name: number for number, name in ALERTS.items()} | {"user_cancelled": 90}

#: How OpenSSL words an alert of the peer, one version otherwise than the other: `sslv3 alert bad certificate`,
#: `ssl/tls alert bad certificate`, `tls alert bad certificate`, `tlsv1 unrecognized name`.
_ALERT_TEXT = re.compile(r"(?:sslv3|tlsv1|tlsv13|ssl/tls|tls) (?:alert )?(.+)")
_CIPHER = re.compile(r"(?:(ECDHE|DHE)-(RSA|ECDSA|DSS)-)?(AES|CAMELLIA|ARIA)?(128|256|CHACHA20|DES)-(.+)")


def failure_reason(texts: list[str]) -> str:
    """A word for the reasons that OpenSSL gives: alert-NUMBER-NAME, unsupportedversions, nottls, eof or other."""
    for text in texts:
        if match := _ALERT_TEXT.fullmatch(text):
            name = match[1].replace(" ", "_")
            if (number := _NUMBERS.get(name)) is not None:
                return f"alert-{number}-{ALERTS[number].replace('_', '-')}"
        if text in {"unsupported protocol", "unsupported ssl version", "version too low", "no protocols available"}:
            return "unsupportedversions"
        if text in {"http request", "https proxy request", "wrong version number", "unknown protocol"}:
            return "nottls"
        if text.lower().startswith("unexpected eof"):
            return "eof"
    return "other"


def cipher_suite(name: str) -> str:
    """IANA's name for what OpenSSL calls a cipher suite; one that is not known is given back as it is.

    OpenSSL knows both names but its Python binding tells only its own; the rule holds for all suites that
    authenticate by certificate and are enabled anywhere here (tested against `openssl ciphers -stdname`).
    """
    match = _CIPHER.fullmatch(name)
    if name.startswith("TLS_") or match is None:
        return name
    exchange = f"{match[1]}_{match[2]}" if match[1] else "RSA"
    family, size, rest = match[3], match[4], match[5]
    if size == "CHACHA20":
        return f"TLS_{exchange}_WITH_CHACHA20_POLY1305_SHA256" if rest == "POLY1305" else name
    if family is None:
        return name
    if rest in {"SHA", "SHA256", "SHA384"}:
        return f"TLS_{exchange}_WITH_{family}_{size}_CBC_{rest}"
    if rest in {"CCM", "CCM8"}:
        return f"TLS_{exchange}_WITH_{family}_{size}_{rest.replace('CCM8', 'CCM_8')}"
    return f"TLS_{exchange}_WITH_{family}_{size}_{rest.replace('-', '_')}"


def alert_record(number: int) -> bytes:
    """A fatal alert as a server may send it before its first message (RFC 8446 §6, §5.1)."""
    return bytes([21, 3, 3, 0, 2, 2, number])
