"""Foreign programs from Debian's packages, installed when they are missing."""

import os
import shutil
import subprocess


def require(programs: dict[str, str]) -> None:
    """Makes every program there is a key for runnable; the value is the package that brings it.

    Raises RuntimeError when one is missing afterwards: what was asked for is never silently left out.
    """
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    os.environ["PATH"] = path
    missing = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    if missing:
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
            done = subprocess.run(
                [*as_root, "apt-get", *command], env=environment, capture_output=True, timeout=300, check=False
            )
            if done.returncode != 0:
                raise RuntimeError(f"apt-get {' '.join(command)} failed: {done.stderr.decode(errors='replace')}")
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        raise RuntimeError(f"not installed: {', '.join(absent)}")
