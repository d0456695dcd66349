"""Our client sending to Debian's Postfix, with Dovecot for its logins: everything arrives once and whole.

STARTTLS and TLS at once, every mechanism that both know, too many recipients, refusals, SMTPUTF8, sizes.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from appliance.protocol.smtp.client import Delivered
from appliance.protocol.smtp.failure import ClientError, Failure, Fault
from appliance.queue.smtpsettings import TLSMode
from bench import baseline
from interop.sending import assert_arrived, in_maildir, message, of_all_kinds, sent, settings

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
MAIN = """
smtpd_recipient_limit = 7
smtpd_recipient_overshoot_limit = 1000
smtputf8_enable = yes
"""


def why_not(*arguments: Any) -> Failure:
    try:
        sent(*arguments)
    except ClientError as error:
        return error.failure
    raise AssertionError("it was possible")


def main() -> int:
    with baseline.running(mechanisms=" ".join(MECHANISMS).lower(), main=MAIN) as house:
        certificate, maildir = Path(house.extra["certificate"]), Path(house.extra["maildir"])
        user, password = house.user, house.password
        kinds = of_all_kinds(user)
        utf8 = message("utf8", b"x\r\n", "грета@localhost", subject="Grüße", sender="söder@us.example")
        arrived = [*kinds, utf8]
        came = sent(house.smtp, settings(TLSMode.REQUIRED, certificate), arrived)
        assert all(isinstance(one, Delivered) for outcomes in came for one in outcomes), came
        print(f"{len(came)} messages by STARTTLS on one connection")

        refused = message("refused", b"x\r\n", "a@elsewhere.example", user)
        ((no, yes),) = sent(house.smtp, settings(TLSMode.OPPORTUNISTIC, certificate), [refused])
        assert isinstance(yes, Delivered), yes
        assert (no.code, str(no.status), no.permanent) == (554, "5.7.1", True), no
        arrived.append(refused)

        # It takes seven at once, and answers 452 to the others.
        many = message("many", b"x\r\n", *(f"u{number}@localhost" for number in range(20)))
        (outcomes,) = sent(house.smtp, settings(TLSMode.SKIP, certificate), [many])
        assert all(isinstance(one, Delivered) for one in outcomes), outcomes

        large = message("toolarge", b"x" * 98 + b"\r\n", user)
        large.octets += b"x\r\n" * 34_000_000
        ((failure,),) = sent(house.smtp, settings(TLSMode.SKIP, certificate), [large])
        assert (failure.fault, str(failure.status)) == (Fault.UNSUPPORTED, "5.3.4"), failure

        for mechanism in MECHANISMS:
            for port, mode in ((house.submission, TLSMode.REQUIRED), (house.submissions, TLSMode.IMMEDIATE)):
                one = message(f"{mechanism}-{mode.value}", b"x\r\n", user)
                (came,) = sent(port, settings(mode, certificate, (mechanism, user, password)), [one])
                assert isinstance(came[0], Delivered), came
                arrived.append(one)
        print(f"logged in by {', '.join(MECHANISMS)}")
        wrong = settings(TLSMode.REQUIRED, certificate, ("SCRAM-SHA-256", user, "wrong"))
        failure = why_not(house.submission, wrong, kinds)
        assert (failure.fault, failure.permanent) == (Fault.LOGIN, False), failure
        print(f"wrong password: {failure}")

        # Postfix keeps one file for each recipient.
        found = in_maildir(maildir, len(arrived) + 20)
        assert_arrived(found, arrived)
        assert len(found["many"]) == 20, len(found["many"])
        assert len(found) == len(arrived) + 1
    print(f"{len(arrived)} messages whole, 20 copies of one sent to 20")
    return 0


sys.exit(main())
