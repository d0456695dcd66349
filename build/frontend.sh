#!/usr/bin/env bash
# Builds the web pages into appliance/servers/web/assets. `check`: types and tests only.
# Without Node, or when its packages cannot be had, it says so and goes on: the server then runs without pages, unless
# MOXPY_PAGES=required.
set -euo pipefail
cd "$(dirname "$0")/../frontend"
assets=../appliance/servers/web/assets

without() {
    echo "$1: going on without web pages." >&2
    [ "${MOXPY_PAGES:-}" != required ] || exit 1
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || without "Node.js (20.19 or later) and npm are not installed"
node -e 'const [a, b] = process.versions.node.split(".").map(Number)
process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' ||
    without "Node.js $(node --version) is too old, 20.19 or 22.12 is needed"

# What is installed remembers for which lock file.
if ! cmp -s package-lock.json node_modules/.moxpy-lock; then
    npm ci --no-audit --no-fund --loglevel=error || without "The packages of the web pages cannot be installed"
    cp package-lock.json node_modules/.moxpy-lock
fi
npx --no-install tsc --noEmit
node --check worker.js
if [ "${1:-}" = check ]; then
    exec npx --no-install vitest run
fi
npx --no-install vite build --logLevel=warn
node finish.mjs "$assets"
touch "$assets/.built"
