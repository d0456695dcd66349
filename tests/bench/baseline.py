"""Postfix and Dovecot from Debian on loopback ports: what we measure beside, and try our clients on first.

Needs root, since Postfix changes users. Everything lies in one temporary directory; the system's own configuration
and queues are not touched. Incoming mail is fsynced into Postfix's queue before its 250, then goes to a Maildir.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from support import programs, served

USER, PASSWORD = "mox@localhost", "moxmoxmox"

DOVECOT = """
protocols = imap
base_dir = {base}/run
log_path = {base}/dovecot.log
ssl = yes
ssl_cert = <{base}/cert.pem
ssl_key = <{base}/key.pem
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
default_login_user = dovenull
mail_location = maildir:{base}/mail/%u
mail_fsync = optimized
mail_max_userip_connections = 2000
first_valid_uid = 1
default_process_limit = 1200
default_client_limit = 4000
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    address = {host}
    port = {imap}
  }}
  inet_listener imaps {{
    address = {host}
    port = {imaps}
  }}
}}
service imap {{
  process_limit = 1200
  service_count = 100
}}
service auth {{
  unix_listener postfix-auth {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=plain {base}/users
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={base}/mail/%u
}}
namespace inbox {{
  inbox = yes
}}
"""

POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
mydestination =
myhostname = localhost
mynetworks = 127.0.0.0/8
inet_interfaces = {host}
inet_protocols = ipv4
virtual_mailbox_domains = localhost
virtual_mailbox_base = {base}/mail
virtual_mailbox_maps = static:{user}/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_recipient_restrictions = permit_auth_destination, reject
smtpd_sasl_type = dovecot
smtpd_sasl_path = {base}/run/postfix-auth
smtpd_tls_cert_file = {base}/cert.pem
smtpd_tls_key_file = {base}/key.pem
smtpd_tls_security_level = may
smtpd_peername_lookup = no
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_client_connection_count_limit = 0
default_process_limit = 100
in_flow_delay = 0
message_size_limit = 100000000
virtual_mailbox_limit = 0
maillog_file = {base}/postfix.log
maillog_file_prefixes = {base}
"""

POSTFIX_MASTER = """
{host}:{smtp} inet n - n - - smtpd
{host}:{submission} inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes
{host}:{submissions} inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
postlog unix-dgram n - n - 1 postlogd
"""


@contextlib.contextmanager
def running(host: str = "127.0.0.1", *, mechanisms: str = "plain login", main: str = "") -> Iterator[served.House]:
    """Both servers, started and greeting, until left; `main` are more lines for Postfix's main.cf.

    `extra` of the house says where certificate and Maildir are. Raises RuntimeError when they do not start.
    """
    if os.geteuid() != 0:
        raise RuntimeError("the baseline servers need root")
    programs.require({"dovecot": "dovecot-imapd", "postfix": "postfix", "openssl": "openssl"})
    mail = pwd.getpwnam("mail")
    with tempfile.TemporaryDirectory(prefix="baseline-", dir="/tmp") as directory:  # short: it holds sockets
        base = Path(directory)
        base.chmod(0o755)
        names = ("smtp", "submission", "submissions", "imap", "imaps")
        ports = dict(zip(names, served.free_ports(len(names), host), strict=True))
        values = {"base": base, "host": host, "user": USER, "uid": mail.pw_uid, "gid": mail.pw_gid, **ports}
        values["mechanisms"] = mechanisms
        (base / "dovecot.conf").write_text(DOVECOT.format(**values))
        (base / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        (base / "postfix").mkdir()
        (base / "postfix/main.cf").write_text(POSTFIX_MAIN.format(**values) + main)
        (base / "postfix/master.cf").write_text(POSTFIX_MASTER.format(**values))
        for name in ("queue", "mail", "data"):
            (base / name).mkdir()
        os.chown(base / "mail", mail.pw_uid, mail.pw_gid)
        os.chown(base / "data", pwd.getpwnam("postfix").pw_uid, -1)
        request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=localhost"
        request += " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
        subprocess.run(request.split(), cwd=base, check=True, capture_output=True)
        postfix = ["postfix", "-c", str(base / "postfix")]
        dovecot = subprocess.Popen(["dovecot", "-F", "-c", str(base / "dovecot.conf")])
        try:
            started = subprocess.run([*postfix, "start"], capture_output=True, check=False, timeout=60)
            if started.returncode != 0:
                raise RuntimeError(f"postfix: {started.stderr.decode()}{_tail(base / 'postfix.log')}")
            try:
                served.wait_ready(host, ports["smtp"], ports["imap"], dovecot)
            except RuntimeError as error:
                logs = _tail(base / "dovecot.log") + _tail(base / "postfix.log")
                raise RuntimeError(f"{error}\n{logs}") from None
            extra = {"certificate": str(base / "cert.pem"), "maildir": str(base / "mail" / USER)}
            log = base / "dovecot.log"
            yield served.House(host, **ports, user=USER, password=PASSWORD, pid=dovecot.pid, log=log, extra=extra)
        finally:
            subprocess.run([*postfix, "abort"], capture_output=True, check=False, timeout=60)
            served.stop(dovecot)
            if keep := os.environ.get("BASELINE_LOGS"):
                for name in ("dovecot.log", "postfix.log"):
                    with contextlib.suppress(OSError):
                        shutil.copy(base / name, Path(keep) / name)


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-3000:] if path.exists() else ""


if __name__ == "__main__":
    with running() as house:
        print(house, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(3600)
