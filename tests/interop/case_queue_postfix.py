"""A whole `moxpy serve` sends to Debian's Postfix: by MX on port 25, by a smarthost with login, as a user would.

The names come from a name server of ours, which the program finds in a resolv.conf of its own (in a mount namespace);
so it needs root, as Postfix does. Then the program is killed amid its work, and nothing is lost.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))


from bench import baseline
from interop.outbound import HOST, forwarded, made, named_us, names, notices, serving, submit, waiting
from interop.sending import in_maildir

ZONE = {
    ("them.example.", "MX"): ["10 gone.them.example.", "20 mx.them.example."],
    ("mx.them.example.", "A"): [HOST],
    ("alias.example.", "CNAME"): ["them.example."],
    ("localhost.", "A"): ["127.0.0.1"],
    ("null.example.", "MX"): ["0 ."],
}
MAIN = """
virtual_mailbox_domains = localhost them.example alias.example smart.example
smtpd_recipient_limit = 7
smtpd_recipient_overshoot_limit = 1000
"""
KILLS, BURST = 3, 60


def main() -> int:
    moxpy, work = Path(os.environ["MOXPY"]), Path(os.environ["WORK"])
    folder = work / "house"
    ports = made(moxpy, folder)
    with names(ZONE) as name_port, baseline.running(mechanisms="plain login scram-sha-256", main=MAIN) as postfix:
        (work / "resolv.conf").write_text(f"nameserver 127.0.0.1:{name_port}\n")
        maildir = Path(postfix.extra["maildir"])
        named_us(folder, postfix.extra["certificate"])
        static = (folder / "moxpy.toml").read_text()
        (folder / "moxpy.toml").write_text(
            f'{static}\n[transports.smart.submission]\nhost = "localhost"\nport = {postfix.submission}\n'
            f'auth = {{ username = "{postfix.user}", password = "{postfix.password}" }}\n'
        )
        domains = (folder / "domains.toml").read_text()
        route = '[[routes]]\nto_domain = ["smart.example"]\ntransport = "smart"\n'
        more = "max_outgoing_messages_per_day = 100000\nmax_first_time_recipients_per_day = 100000\n"
        domains = domains.replace("[accounts.mox]\n", f"[accounts.mox]\n{more}")
        (folder / "domains.toml").write_text(route + domains)
        with forwarded(postfix.smtp):
            with serving(moxpy, folder, work / "resolv.conf", ports):
                submit(ports["submission"], "one", "x@them.example")
                submit(ports["submission"], "many", *(f"u{number}@them.example" for number in range(20)))
                submit(ports["submission"], "alias", "x@alias.example")
                submit(ports["submission"], "smart", "x@smart.example")
                submit(ports["submission"], "literal", f"x@[{HOST}]")
                submit(ports["submission"], "gone", "x@nowhere.example", "y@null.example")
                submit(ports["submission"], "told", "t@smart.example", options=("NOTIFY=SUCCESS",))
                found = in_maildir(maildir, 25)
                assert {name: len(some) for name, some in found.items()} == {
                    "one": 1,
                    "many": 20,
                    "alias": 1,
                    "smart": 1,
                    "told": 2,  # With Postfix's own notice of success to its sender.
                }, {name: len(some) for name, some in found.items()}
                ends = "\r\nGrüße\r\n.\r\n".encode()
                assert all(one.endswith(ends) for name in ("one", "many", "alias", "smart") for one in found[name])
                assert b"ESMTPS" in found["one"][0], "by TLS, though nobody vouches for it"
                assert b"ESMTPSA" in found["smart"][0], "by TLS, and logged in"
                told = notices(ports["imap"], 3)
                assert sum("5.1.2" in one and "nowhere.example does not exist" in one for one in told) == 1
                assert sum("5.1.10" in one and "null MX" in one for one in told) == 1
                (refused,) = (one for one in told if HOST in one)
                assert f"Remote-MTA: dns; [{HOST}]" in refused, refused
                assert "Diagnostic-Code: smtp; 554 5.7.1" in refused, refused
                print("by MX, by CNAME, by smarthost; refusals came back")
            killed(moxpy, folder, work, ports, maildir)
    done = subprocess.run([moxpy, "verifydata", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return 0


def killed(moxpy: Path, folder: Path, work: Path, ports: dict[str, int], maildir: Path) -> None:
    """Killed three times amid sending: everything arrives, and twice only what was between a 250 and our commit."""
    sent: list[str] = []
    for kill in range(KILLS):
        with contextlib.suppress(ProcessLookupError), serving(moxpy, folder, work / "resolv.conf", ports) as process:
            for number in range(BURST):
                domain = ("them", "alias", "smart")[number % 3]
                submit(ports["submission"], f"kill-{kill}-{number}", f"k{number}@{domain}.example")
                sent.append(f"kill-{kill}-{number}")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    with serving(moxpy, folder, work / "resolv.conf", ports):
        deadline = time.monotonic() + 60
        # What was being sent has an attempt behind it, and waits for the next one.
        while any(one["attempts"] == 0 for one in waiting(moxpy, folder)):
            assert time.monotonic() < deadline, "the queue does not go on"
            time.sleep(0.2)
        held = waiting(moxpy, folder)
    left = {one["subject"] for one in held}
    while True:  # Postfix delivers after it has said 250.
        found = {name: some for name, some in in_maildir(maildir, 0).items() if name.startswith("kill")}
        if found.keys() | left == set(sent) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    doubled = sum(map(len, found.values())) - len(found)
    print(f"killed {KILLS} times: {len(sent)} accepted, {len(found)} arrived, {doubled} twice, {len(left)} wait")
    assert found.keys() | left == set(sent)
    assert doubled + len(found.keys() & left) <= KILLS * 10, "one for each delivery that a kill has cut short, at most"


sys.exit(main())
