"""Debian's Postfix handing over by its own lmtp client, to a server whose configuration opens that door (RFC 2033).

One reply for each recipient: those that are taken arrive once, those that are not stay with Postfix, who tells.
"""

import os
import re
import sys
from pathlib import Path

from interop import postfix
from interop.mailbox import HOST
from support import served

MOXPY, WORK = Path(os.environ["MOXPY"]), Path(os.environ["WORK"])
SENDMAIL, SOURCE = 200, 200


def main() -> int:
    directory = WORK / "house"
    ports = served.prepare(MOXPY, directory)
    (WORK / "house.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    (lmtp,) = served.free_ports(1, HOST)
    with (directory / "moxpy.toml").open("a") as config:
        config.write(f"\n[listeners.local.lmtp]\nenabled = true\nport = {lmtp}\n")
    with served.running(MOXPY, directory) as house:
        os.environ["IMAP"] = str(house.imap)
        with postfix.running(f"default_transport = lmtp:inet:{HOST}:{lmtp}") as server:
            sent = postfix.by_sendmail(server, SENDMAIL)
            postfix.smtp_source(server.port, SOURCE, "-r", "3")
            server.drain()
            recipients = postfix.assert_content(server.log)
            found = postfix.arrived()
            postfix.assert_once(found, sent)
            assert len(found) == SENDMAIL + SOURCE, len(found)
            assert all(re.search(rb" with (?:UTF8)?LMTP", messages[0]) for messages in found.values())
            print(f"{len(found)} messages by LMTP, {recipients} recipients")

            # One of three is refused after the message (`localserve` has addresses that fail on purpose).
            identity = "<partly@postfix.example>"
            header = f"From: <mox@localhost>\nMessage-ID: {identity}\nSubject: partly\n\nbody\n"
            taken = ["mox@localhost", "rcptto550@localhost", "anyone@example.org"]
            server.sendmail("", taken, header.encode())
            server.drain()
            fates = dict(re.findall(r"to=<([^>]+)>.* status=(\w+)", server.log.partition("partly@")[2]))
            assert fates == {taken[0]: "sent", taken[1]: "bounced", taken[2]: "sent"}, fates
            assert len(postfix.arrived()[identity]) == 1
    return 0


sys.exit(main())
