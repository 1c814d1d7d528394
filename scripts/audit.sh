#!/bin/sh
# Known weaknesses of the locked dependencies, by pip-audit in an environment of its own. Without the network it says so
# in one line and ends well, within two minutes: a check that cannot be made is no failure of the product.
set -u
bin=$1
tool=.venv-audit
if [ ! -x "$tool/bin/pip-audit" ]; then
    "$bin/python" -m venv "$tool" &&
        timeout 60 "$tool/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 10 pip-audit >/dev/null 2>&1 || {
        rm -rf "$tool"
        echo "pip-audit could not be installed: weaknesses of dependencies not checked" >&2
        exit 0
    }
fi
timeout 60 "$tool/bin/pip-audit" --progress-spinner off --timeout 10 --disable-pip --require-hashes \
    -r requirements.lock >"$tool/found" 2>"$tool/errors"
code=$?
if [ $code -eq 124 ] || { [ $code -ne 0 ] && grep -qiE "connection|resolve|timed? ?out|unreachable|service error|503" "$tool/errors"; }; then
    echo "the database of weaknesses is not reachable: weaknesses of dependencies not checked" >&2
    exit 0
fi
listed=$(grep -cE "^[A-Za-z0-9._-]+==" requirements.lock)
skipped=$(cat "$tool/found" "$tool/errors" | grep -c "could not be audited")
if [ $code -eq 0 ] && [ "$skipped" -gt 0 ]; then  # pip-audit takes "not found there" for "no weakness known"
    echo "$skipped of $listed dependencies are not known to the database of weaknesses that is reachable: not checked" >&2
    exit 0
fi
if [ $code -eq 0 ]; then
    echo "no known weakness in $listed dependencies"
else
    cat "$tool/found" "$tool/errors" >&2
fi
exit $code
