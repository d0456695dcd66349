"""Prints figures of a running server beside their targets and, if wanted, beside another server's.

`make bench`, or `python -m bench` with tests/ on the path. Without --server it starts `moxpy localserve` itself, in a
temporary directory. Both servers are measured section by section in turn, so that they see the same machine. The section
`judged` has a house of its own, as localserve knows nobody and limits nobody.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

from bench import baseline as debian
from bench.sections import SECTIONS
from bench.target import Figures, Target
from bench.web import CALLS
from support import served

#: What moxpy is to reach, on two cores of a virtual machine; "<" where less is better.
TARGETS: dict[str, tuple[str, float]] = {
    "SMTP 5 KB, 1 kept": (">", 0),
    "SMTP 5 KB, 10 kept": (">", 400),
    "SMTP 5 KB, 50 kept": (">", 0),
    "SMTP 5 KB, 10 at a time, new each": (">", 0),
    "SMTP 1 MB, 10 kept": (">", 0),
    # The same without judging who sent it.
    "LMTP 5 KB, 1 kept": (">", 0),
    "LMTP 5 KB, 10 kept": (">", 1_000),
    "LMTP 5 KB, 50 kept": (">", 0),
    "LMTP 5 KB, 10 at a time, new each": (">", 500),
    "LMTP 1 MB, 10 kept": (">", 150),
    "judged deliveries/s, 10 kept": (">", 400),
    "checks of 5 KB, two signatures, ms": ("<", 3),
    "classification by 100,000 words, ms": ("<", 0.5),
    "longest step, 5 KB, ms": ("<", 5),
    "others wait, nothing comes, p99, ms": ("<", 0),
    "others wait, nothing comes, most, ms": ("<", 0),
    "others wait, 5 KB, p99, ms": ("<", 5),
    "others wait, 5 KB, most, ms": ("<", 0),
    "others wait, 5 KB, 10 kept, p99, ms": ("<", 0),
    "others wait, 5 KB, 10 kept, most, ms": ("<", 0),
    **{
        name: target
        for kind in (
            "60 KB in 9,900 parts",
            "15 KB in 2,400 parts",
            "60 KB of nests",
            "15 KB of nests",
        )
        for name, target in (
            (f"longest step, {kind}, ms", ("<", 5)),
            (f"others wait, {kind}, p99, ms", ("<", 0)),
            (f"others wait, {kind}, most, ms", ("<", 0)),
        )
    },
    **{
        name: target
        for kind in (
            "in one line",
            "in 9,900 parts",
            "of nests",
            "in base64",
            "and 1,900 fields",
            "and 400 signatures",
            "and a huge Subject",
            "and a huge To",
            "and a huge From",
            "of odd letters",
            "of accents",
            "of HTML",
        )
        for name, target in (
            (f"longest step, 25 MB {kind}, ms", ("<", 20)),
            (f"others wait, 25 MB {kind}, p99, ms", ("<", 0)),
            (f"others wait, 25 MB {kind}, most, ms", ("<", 20)),
        )
    },
    "submissions/s, 10 kept with TLS": (">", 900),
    "submitted and sent on/s, 10 domains": (">", 250),
    "ready with 100,000 in the queue, s": ("<", 5),
    "memory with 100,000 in the queue, MB": ("<", 150),
    "memory with 100,000 in the queue, MB, with mapped files": ("<", 0),
    "APPEND 5 KB, 10 connections": (">", 1_200),
    "load MB/s (MULTIAPPEND)": (">", 0),
    "FETCH UID FLAGS, msg/s": (">", 1_000_000),
    "FETCH ENVELOPE BODYSTRUCTURE, msg/s": (">", 200_000),
    "FETCH HEADER.FIELDS, msg/s": (">", 100_000),
    "FETCH whole bodies, msg/s": (">", 50_000),
    "FETCH whole bodies, MB/s": (">", 700),
    "FETCH one at a time, msg/s": (">", 5_000),
    "STORE on 1000 messages, ms": ("<", 15),
    "SEARCH TEXT rare word, ms": ("<", 60),
    "SEARCH flag, ms": ("<", 2),
    "SEARCH date, ms": ("<", 2),
    "index, % of the text": ("<", 60),
    "index, MB/s of text": (">", 0),
    "index, MB/s of text of one processor": (">", 20),
    **{
        name: target
        for kind, milliseconds, ratio in (
            ("rare word", 60, 3),
            ("inside a word", 60, 3),
            ("frequent word", 100, 1),
            ("phrase", 120, 2),
            ("frequent phrase", 0, 0),
            ("two letters", 0, 0),
            ("one letter", 0, 0),
            ("FROM", 30, 5),
            ("SUBJECT", 30, 5),
            ("other HEADER", 120, 2),
            ("SENTSINCE", 40, 8),
        )
        for name, target in (
            (f"SEARCH {kind}, ms", ("<", milliseconds)),
            (f"SEARCH {kind}, scan / index", (">", ratio)),
        )
    },
    **{
        name: target
        for method in (
            "Send",
            "MessageGet",
            "MessageRawGet",
            "MessageFlagsAdd",
            "MessageFlagsRemove",
            "SuppressionPresent",
        )
        for name, target in ((f"webapi {method}, ms", ("<", 5)), (f"webapi {method} p99, ms", ("<", 0)))
    },
    **{
        name: target
        for application, calls in CALLS.items()
        for name, target in (
            (f"{application} first page, KB", ("<", 150)),
            *((f"{application} {function}, ms", ("<", 5)) for function in calls),
        )
    },
    "JMAP first list, 100,000 messages, cold, ms": ("<", 300),
    "JMAP first list, warm, ms": ("<", 40),
    "JMAP page at an anchor, ms": ("<", 40),
    "JMAP queryChanges after a change, ms": ("<", 15),
    "JMAP one message with its texts, ms": ("<", 50),
    "JMAP search, rare word, ms": ("<", 150),
    "JMAP search, frequent word, ms": ("<", 0),
    "JMAP unread threads of all mailboxes, ms": ("<", 15),
    "first SORT in 10,000, ms": ("<", 100),
    "SORT DATE in 10,000, ms": ("<", 30),
    "SORT by the slowest key in 10,000, ms": ("<", 30),
    "THREAD REFERENCES in 10,000, ms": ("<", 30),
    "THREAD ORDEREDSUBJECT in 10,000, ms": ("<", 30),
    "SEARCH FROM in 10,000, ms": ("<", 5),
    "SEARCH SUBJECT in 10,000, ms": ("<", 5),
    "SEARCH TEXT rare word in 10,000, ms": ("<", 10),
    "first SELECT of 100,000, ms": ("<", 200),
    "SELECT of 100,000, ms": ("<", 10),
    "SEARCH TEXT rare word in 100,000, ms": ("<", 60),
    "SEARCH FROM in 100,000, ms": ("<", 60),
    "first SORT in 100,000, ms": ("<", 1_000),
    "SORT DATE in 100,000, ms": ("<", 300),
    "THREAD REFERENCES in 100,000, ms": ("<", 500),
    "mixed commands/s, 10 sessions": (">", 2_500),
    "mixed commands/s, 50 sessions": (">", 2_500),
    "IDLE news p50, ms": ("<", 0),
    "IDLE news p99, ms": ("<", 12),
    "LOGIN SELECT LOGOUT /s, 10 at a time": (">", 1_500),
    "memory idle, MB": ("<", 80),
    "memory with 500 in IDLE, MB": ("<", 120),
    "ready after, s": ("<", 0.6),
}


def parsed_house(words: list[str]) -> served.House:
    """`smtp=host:port imap=host:port user=NAME password=WORD`."""
    values = dict(word.split("=", 1) for word in words)
    host, _, smtp = values.pop("smtp").rpartition(":")
    imap_host, _, imap = values.pop("imap").rpartition(":")
    if imap_host != host:
        raise ValueError("SMTP and IMAP are on different hosts")
    return served.House(host, int(smtp), 0, 0, int(imap), 0, **values)


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def row(name: str, ours: Figures, theirs: Figures) -> str:
    better, wanted = TARGETS[name]
    value, other = ours.get(name), theirs.get(name)
    cells = [f"{name:<40}", f"{shown(value) if value is not None else '-':>12}"]
    if wanted and value is not None:
        reached = value >= wanted if better == ">" else value <= wanted
        cells += [f"{better} {shown(wanted):>10}", f"{'reached' if reached else 'NOT reached':<12}"]
    else:
        cells += [f"{'':>12}", f"{'':<12}"]
    if other is not None:
        ratio = (value / other if better == ">" else other / value) if value and other else None
        cells += [f"{shown(other):>12}", f"{f'{ratio:.2f}x' if ratio else '':>8}"]
    return "  ".join(cells).rstrip()


def measure(name: str, target: Target, into: Figures, errors: list[str]) -> None:
    try:
        into |= SECTIONS[name](target)
    except Exception as error:
        errors.append(f"{name}: {error}")
        traceback.print_exc()


def with_lmtp(moxpy: Path, folder: Path) -> int:
    """Make a folder of localserve that also listens for LMTP; returns the port."""
    ports = served.prepare(moxpy, folder)
    (folder.parent / f"{folder.name}.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    (port,) = served.free_ports(1)
    with (folder / "moxpy.toml").open("a") as config:
        config.write(f"\n[listeners.local.lmtp]\nenabled = true\nport = {port}\n")
    return port


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--moxpy", type=Path, default=Path(".venv/bin/moxpy"), help="the program to start")
    parser.add_argument(
        "--server",
        nargs="+",
        metavar="KEY=VALUE",
        help="a running server instead: smtp=HOST:PORT imap=... user= password=",
    )
    parser.add_argument(
        "--baseline",
        nargs="*",
        metavar="KEY=VALUE",
        help="a second column; alone, Debian's Postfix and Dovecot are started",
    )
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), help="these sections")
    parser.add_argument("--quick", action="store_true", help="a fifth to a tenth of the work; rougher figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    ours: Figures = {}
    theirs: Figures = {}
    errors: list[str] = []
    with contextlib.ExitStack() as stack:
        targets = []
        if options.server:
            targets.append((Target(parsed_house(options.server), options.quick), ours))
        else:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            port = with_lmtp(options.moxpy.absolute(), directory / "localserve")
            house = stack.enter_context(served.running(options.moxpy.absolute(), directory / "localserve"))
            house.extra["lmtp"] = str(port)
            targets.append((Target(house, options.quick, options.moxpy.absolute()), ours))
        if options.baseline is not None:
            other = parsed_house(options.baseline) if options.baseline else stack.enter_context(debian.running())
            targets.append((Target(other, options.quick), theirs))
        for name in options.only:
            for target, figures in targets:
                print(
                    f"measuring {name}{' of the baseline' if figures is theirs else ''} ...",
                    file=sys.stderr,
                    flush=True,
                )
                measure(name, target, figures, errors)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    quick = ", quick" if options.quick else ""
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load average {load}{quick}")
    print(f"{'':<40}  {'measured':>12}  {'target':>12}  {'':<12}  {'baseline' if theirs else '':>12}".rstrip())
    for name in TARGETS:
        if name in ours or name in theirs:
            print(row(name, ours, theirs))
        if (cpu := ours.get(f"{name}, CPU us")) is not None:
            print(f"{'  the server: CPU microseconds for one':<40}  {shown(cpu):>12}")
    if options.json:
        options.json.write_text(json.dumps({"server": ours, "baseline": theirs, "errors": errors}, indent=1) + "\n")
    for error in errors:
        print(f"FAILED {error}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
