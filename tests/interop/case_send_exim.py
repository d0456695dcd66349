"""Our client sending to Exim: STARTTLS, logins, a limit of recipients, and everything arrives once and whole."""

import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from appliance.protocol.smtp.client import Delivered
from appliance.queue.smtpsettings import TLSMode
from interop.exim import USER_ID, Exim
from interop.sending import assert_arrived, in_maildir, message, of_all_kinds, sent, settings
from support import served

WORK = Path(os.environ["WORK"])
CONFIG = """
exim_user = {user}
exim_group = {user}
spool_directory = {base}/spool
log_file_path = {base}/log/%slog
primary_hostname = localhost
keep_environment =
never_users =
queue_only
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
pipelining_advertise_hosts = PIPELINING
tls_advertise_hosts = *
tls_certificate = {base}/cert.pem
tls_privatekey = {base}/key.pem
auth_advertise_hosts = *
recipients_max = 7
message_size_limit = 20M
acl_smtp_rcpt = recipient
acl_smtp_data = accept
host_lookup =
rfc1413_query_timeout = 0s
begin acl
recipient:
  deny message = no such user
       local_parts = unknown
  accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {base}/mail
  maildir_format
  use_crlf
  user = {user}
  group = {user}
  create_directory
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{user}}}}{{eq{{$auth3}}{{pencil}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{user}}}}{{eq{{$auth2}}{{pencil}}}}}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{user}}{{pencil}}fail}}
  server_set_id = $auth1
"""
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")


def run(pipelining: bool) -> None:
    work = WORK / ("pipelining" if pipelining else "plain")
    work.mkdir()
    exim = Exim(work, CONFIG.replace("PIPELINING", "*" if pipelining else ""))
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=localhost"
    request += " -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    subprocess.run(request.split(), cwd=work, check=True, capture_output=True)
    (work / "key.pem").chmod(0o644)
    (work / "mail").mkdir()
    os.chown(work / "mail", USER_ID, USER_ID)
    (port,) = served.free_ports(1)
    daemon = subprocess.Popen(exim.command("-bdf", "-oX", f"127.0.0.1.{port}"), start_new_session=True)
    try:
        deadline = time.monotonic() + 20
        while not served.greets("127.0.0.1", port, b"220"):
            assert time.monotonic() < deadline, "Exim does not greet"
            time.sleep(0.05)
        certificate = work / "cert.pem"
        kinds = of_all_kinds("user@localhost")
        came = sent(port, settings(TLSMode.REQUIRED, certificate), kinds)
        assert all(isinstance(one, Delivered) for outcomes in came for one in outcomes), came
        two = message("two", b"x\r\n", "unknown@localhost", "user@localhost")
        ((no, yes),) = sent(port, settings(TLSMode.SKIP, certificate), [two])
        assert (no.code, no.text, no.permanent) == (550, "no such user", True), no
        assert isinstance(yes, Delivered), yes
        many = message("many", b"x\r\n", *(f"u{number}@localhost" for number in range(20)))
        (outcomes,) = sent(port, settings(TLSMode.SKIP, certificate), [many])
        assert all(isinstance(one, Delivered) for one in outcomes), outcomes
        arrived = [*kinds, two]
        for mechanism in MECHANISMS:
            one = message(mechanism, b"x\r\n", "user@localhost")
            ((outcome,),) = sent(port, settings(TLSMode.REQUIRED, certificate, (mechanism, "user", "pencil")), [one])
            assert isinstance(outcome, Delivered), outcome
            arrived.append(one)
        exim.run("-qf")
        found = in_maildir(work / "mail", len(arrived) + 20)
        assert_arrived(found, arrived)
        assert len(found.pop("many")) == 20
        assert len(found) == len(arrived)
        print(f"{len(arrived)} messages whole, {'with' if pipelining else 'without'} PIPELINING")
    finally:
        served.stop(daemon)


def main() -> int:
    run(pipelining=True)
    run(pipelining=False)
    return 0


sys.exit(main())
