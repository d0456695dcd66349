"""Debian's Postfix as the sending server: a thousand messages, each of which arrives exactly once and whole.

Postfix is a peer that pipelines, reuses connections, speaks STARTTLS when it is offered, 8BITMIME and SMTPUTF8.
"""

import os
import re
import sys
from collections import Counter

from interop import postfix
from interop.mailbox import HOST

SMTP = int(os.environ["SMTP"])
SENDMAIL, SOURCE, DIRECT = 400, 600, 300


def main() -> int:
    before = set(postfix.arrived())
    with postfix.running(f"relayhost = [{HOST}]:{SMTP}") as server:
        sent = postfix.by_sendmail(server, SENDMAIL)
        postfix.smtp_source(server.port, SOURCE, "-r", "3")
        server.drain()
        log = server.log
    found = {identity: messages for identity, messages in postfix.arrived().items() if identity not in before}
    postfix.assert_once(found, sent)
    assert len(found) == SENDMAIL + SOURCE, len(found)
    recipients = postfix.assert_content(log)
    tls = len(re.findall(r"TLS connection established to .*TLSv1\.3", log))
    assert tls, "no connection used STARTTLS"
    with_tls = sum(b" with ESMTPS" in messages[0] or b" with UTF8SMTPS" in messages[0] for messages in found.values())
    assert with_tls == len(found), f"{with_tls} of {len(found)} came by TLS"
    print(f"{len(found)} messages by Postfix, {recipients} recipients, {tls} TLS connections")

    before |= set(found)
    postfix.smtp_source(SMTP, DIRECT, "-d")
    postfix.smtp_source(SMTP, DIRECT, "-r", "5")
    found = {identity: messages for identity, messages in postfix.arrived().items() if identity not in before}
    copies = Counter(len(messages) for messages in found.values())
    assert copies == {1: 2 * DIRECT}, copies
    print(f"{2 * DIRECT} messages by smtp-source itself")
    return 0


sys.exit(main())
