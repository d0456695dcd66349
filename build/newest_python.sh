#!/usr/bin/env bash
# Prints the newest usable Python of the versions moxpy supports (3.13, 3.12, 3.11), on the path or under pyenv.
# With an argument ("3.13") only that version counts. Exits 1 when there is none.
set -euo pipefail
for version in ${1:-3.13 3.12 3.11}; do
    for candidate in "$(command -v "python$version" || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
        # A pyenv shim stands on the path for versions that are not selected, and fails when run.
        if [ -x "$candidate" ] && "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            echo "$candidate"
            exit 0
        fi
    done
done
exit 1
