from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from appliance.mail import received
from appliance.mail.received import Received

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def field(recipient="", **changes):
    settings = {
        "helo": "client.example",
        "remote_ip": ip_address("192.0.2.1"),
        "hostname": "mx.example",
        "local_ip": ip_address("192.0.2.2"),
        "protocol": "ESMTP",
        "id": "abc",
        "tls": "",
        "requiretls": False,
        "when": WHEN,
    }
    octets = received.compose(Received(**(settings | changes)), recipient)
    assert octets.endswith(b"\r\n")
    lines = octets[:-2].split(b"\r\n")
    assert all(len(line) <= 76 for line in lines)
    assert all(line.startswith(b"\t") for line in lines[1:])
    return b" ".join(line.removeprefix(b"\t") for line in lines).decode()


DATE = "Fri, 02 Jan 2026 03:04:05 +0000"


@pytest.mark.parametrize(
    ("recipient", "changes", "text"),
    [
        pytest.param(
            "",
            {},
            "from client.example ([192.0.2.1]) by mx.example ([192.0.2.2]) via tcp with ESMTP id abc; ",
            id="plain",
        ),
        pytest.param(
            "a@b.example",
            {"tls": "TLS1.3 TLS_AES_128_GCM_SHA256", "requiretls": True, "protocol": "ESMTPSA"},
            "from client.example ([192.0.2.1]) by mx.example ([192.0.2.2]) via tcp with ESMTPSA (requiretls) id abc "
            "(TLS1.3 TLS_AES_128_GCM_SHA256) for <a@b.example>; ",
            id="everything",
        ),
        pytest.param(
            "",
            {"remote_ip": None, "helo": "mx.example"},
            "from mx.example by mx.example ([192.0.2.2]) via tcp with ESMTP id abc; ",
            id="client hidden",
        ),
        pytest.param(
            "",
            {"remote_ip": ip_address("2001:db8::1"), "remote_name": "other.example"},
            "from client.example (other.example [IPv6:2001:db8::1]) by mx.example ([192.0.2.2]) via tcp with ESMTP id abc; ",
            id="IPv6, other name",
        ),
        pytest.param(
            "",
            {"helo": "xn--bcher-kva.example", "helo_unicode": "b\u00fccher.example", "hostname_unicode": "mx.example"},
            "from b\u00fccher.example (xn--bcher-kva.example [192.0.2.1]) by mx.example ([192.0.2.2]) via tcp with ESMTP "
            "id abc; ",
            id="U-labels",
        ),
        pytest.param(
            "",
            {"remote_name": "client.example"},
            "from client.example ([192.0.2.1]) by mx.example ([192.0.2.2]) via tcp with ESMTP id abc; ",
            id="same name",
        ),
    ],
)
def test_compose(recipient, changes, text):
    assert field(recipient, **changes) == f"Received: {text}{DATE}"
