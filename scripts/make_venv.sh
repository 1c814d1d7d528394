#!/bin/sh
# Make the virtual environment; on Debian without python3-venv, root gets it from the distribution's packages.
set -eu
venv=$1
: "${PYTHON:?no Python 3.11 or newer was found: apt-get install python3 python3-venv}"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $PYTHON is older" >&2; exit 1; }
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
        echo "Python's venv module is missing: as root, apt-get install python3-venv" >&2
        exit 1
    fi
fi
"$PYTHON" -m venv "$venv"
