"""Runs every foreign program against one `moxpy localserve` and prints who passed.

A case is an executable file beside this one. It gets HOST, the ports, MAIL_USER, MAIL_PASSWORD, CERTIFICATE (what the
server shows, PEM), MOXPY and MOXPYCONF (the program and its configuration, for its commands) and WORK (an empty folder
of its own), and passes by exiting 0. What it prints is shown when it does not. Programs that are not there are
installed; one that cannot be is a failure.
"""

import argparse
import contextlib
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from support import programs, served

HERE = Path(__file__).resolve().parent
CASE_SECONDS = 90
#: Cases that take longer.
LONGER_SECONDS = {
    "case_acme": 200,
    "case_dkim": 300,
    "case_exact": 300,
    "case_hostile": 300,
    "case_postfix": 300,
    "case_queue_dane": 150,
    "case_queue_opensmtpd": 150,
    "case_queue_postfix": 200,
    "case_reports": 200,
    "case_send_postfix": 200,
}
#: Cases whose output is a table to be read.
SHOWN = {"case_hostile"}
#: Cases that say nothing about another server.
MOXPY_ALONE = {
    *("case_acme", "case_bdat", "case_compress", "case_dane", "case_dkim", "case_exchange", "case_exim"),
    *(
        "case_dnsrecords",
        "case_hostile",
        "case_lmtp",
        "case_mailboxes",
        "case_postfix",
        "case_queue_dane",
        "case_queue_opensmtpd",
        "case_queue_postfix",
    ),
    *("case_jmapc", "case_jmaplib", "case_reports", "case_send_exim", "case_send_postfix"),
}
#: Program -> Debian package.
PROGRAMS = {
    "swaks": "swaks",
    "curl": "curl",
    "openssl": "openssl",
    "mbsync": "isync",
    "mutt": "mutt",
    "tmux": "tmux",
    "msmtp": "msmtp",
    "offlineimap": "offlineimap3",
    "getmail": "getmail6",
    "postfix": "postfix",
    "smtp-source": "postfix",
    "gsasl": "gsasl",
    "opendkim": "opendkim",
    "promtool": "prometheus",
    "xmllint": "libxml2-utils",
    "named": "bind9",
    "dnssec-signzone": "bind9-utils",
    "unbound": "unbound",
    "dovecot": "dovecot-imapd",
}
#: Perl modules, by the package that brings each; swaks loads its own only when they are wanted.
PERL = {
    "Net::SSLeay": "libnet-ssleay-perl",
    "Authen::SASL": "libauthen-sasl-perl",
    "Mail::DKIM": "libmail-dkim-perl",
}


def cases() -> list[Path]:
    return sorted(path for path in HERE.iterdir() if path.suffix in {".sh", ".py"} and path.name.startswith("case_"))


def require_perl() -> None:
    missing = [p for m, p in PERL.items() if subprocess.run(["perl", f"-M{m}", "-e1"], capture_output=True).returncode]
    if missing:
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        subprocess.run([*as_root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True)


@contextlib.contextmanager
def house_for(options: argparse.Namespace, directory: Path) -> Iterator[served.House]:
    if options.baseline:
        from bench import baseline

        with baseline.running() as house:
            yield house
    else:
        with served.running(options.moxpy.absolute(), directory / "localserve") as house:
            yield house


def run_case(path: Path, house: served.House, directory: Path, moxpy: Path | None) -> tuple[bool, float, str]:
    work = directory / path.stem
    work.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "HOME": str(work),
        "WORK": str(work),
        "BASH_ENV": str(HERE / "common.sh"),
        "PYTHON": sys.executable,
        "PYTHONPATH": str(HERE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOST": house.host,
        "SMTP": str(house.smtp),
        "SUBMISSION": str(house.submission),
        "SUBMISSIONS": str(house.submissions),
        "IMAP": str(house.imap),
        "IMAPS": str(house.imaps),
        # 0 where another server is tested.
        "HTTP": str(house.http),
        "HTTPS": str(house.https),
        "MAIL_USER": house.user,
        "MAIL_PASSWORD": house.password,
        "CERTIFICATE": str(directory / "certificate.pem"),
        # Empty when another server is tested.
        "MOXPY": str(moxpy or ""),
        "MOXPYCONF": str(directory / "localserve" / "moxpy.toml"),
    }
    command = [sys.executable, str(path)] if path.suffix == ".py" else ["bash", "-euo", "pipefail", str(path)]
    seconds = LONGER_SECONDS.get(path.stem, CASE_SECONDS)
    start = time.monotonic()
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
        passed, output = done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired as late:
        passed, output = False, (late.stdout or b"") + f"\nstill running after {seconds} s\n".encode()
    return passed, time.monotonic() - start, output.decode(errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(prog="interop", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--moxpy", type=Path, default=Path(".venv/bin/moxpy"), help="the program to serve with")
    parser.add_argument("--baseline", action="store_true", help="against Debian's Postfix and Dovecot instead")
    parser.add_argument("only", nargs="*", metavar="NAME", help="cases to run, e.g. swaks mutt; all without")
    options = parser.parse_args()
    chosen = [path for path in cases() if not options.only or path.stem.removeprefix("case_") in options.only]
    if options.baseline:
        chosen = [path for path in chosen if path.stem not in MOXPY_ALONE]
    if not chosen:
        parser.error("no such case; there are: " + " ".join(path.stem.removeprefix("case_") for path in cases()))
    programs.require(PROGRAMS)
    require_perl()
    failed = []
    with tempfile.TemporaryDirectory(prefix="interop-") as name:
        directory = Path(name)
        with house_for(options, directory) as house:
            (directory / "certificate.pem").write_text(ssl.get_server_certificate((house.host, house.imaps)))
            for path in chosen:
                passed, seconds, output = run_case(
                    path, house, directory, None if options.baseline else options.moxpy.absolute()
                )
                print(
                    f"{'pass' if passed else 'FAIL'}  {path.stem.removeprefix('case_'):<12} {seconds:6.1f} s",
                    flush=True,
                )
                if not passed:
                    failed.append(path.stem)
                if not passed or path.stem in SHOWN:
                    print(
                        "".join(f"      | {line}\n" for line in output.splitlines()[-60:] if line.strip()),
                        end="",
                        flush=True,
                    )
            if failed and house.log and house.log.exists():
                print("the end of the server's log:")
                print(house.log.read_text(errors="replace")[-3000:])
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
