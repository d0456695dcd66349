"""Exim as the sending server: pipelining, STARTTLS, and BDAT wherever CHUNKING is offered (RFC 3030)."""

import os
import re
import smtplib
import sys
from collections import Counter
from pathlib import Path

from interop import postfix
from interop.exim import Exim
from interop.mailbox import HOST

SMTP, WORK = int(os.environ["SMTP"]), Path(os.environ["WORK"])
MESSAGES = 200
CONFIG = """
exim_user = {user}
exim_group = {user}
spool_directory = {base}/spool
log_file_path = {base}/log/%slog
log_selector = +smtp_confirmation +tls_cipher
primary_hostname = exim.example
qualify_domain = exim.example
local_interfaces = {host}
keep_environment =
never_users =
remote_max_parallel = 4
begin acl
begin routers
all:
  driver = manualroute
  route_list = * {host}
  self = send
  transport = peer
begin transports
peer:
  driver = smtp
  port = {port}
  hosts_try_chunking = *
  hosts_require_tls = *
begin retry
* * F,1h,1m
"""


def main() -> int:
    before = set(postfix.arrived())
    exim = Exim(WORK, CONFIG.replace("{host}", HOST).replace("{port}", str(SMTP)))
    sent = postfix.by_sendmail(exim, MESSAGES)
    exim.run("-qf")
    log = (WORK / "log/mainlog").read_text(errors="replace")
    left = exim.run("-bpr")
    assert not left.strip(), left + log[-2000:]
    found = {identity: messages for identity, messages in postfix.arrived().items() if identity not in before}
    postfix.assert_once(found, sent)
    assert len(found) == MESSAGES, len(found)
    lines = [line for line in log.splitlines() if re.search(r" [=-]> ", line)]
    fates = Counter("delivered" if 'C="250 ' in line else line for line in lines)
    assert set(fates) == {"delivered"}, fates
    assert all(" X=TLS1.3" in line for line in lines), lines[:3]
    with smtplib.SMTP(HOST, SMTP, timeout=20) as smtp:
        smtp.ehlo()
        chunking = smtp.has_extn("chunking")
    assert all((" K " in line) == chunking for line in lines), lines[:3]
    print(f"{len(found)} messages by Exim, {len(lines)} recipients, {'BDAT' if chunking else 'DATA'}")
    return 0


sys.exit(main())
