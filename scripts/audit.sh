#!/bin/sh
# Known weaknesses of the locked dependencies, by pip-audit in an environment of its own. Without the network it says so
# and ends well: a check that cannot be made is no failure of the product.
set -u
bin=$1
tool=.venv-audit
if [ ! -x "$tool/bin/pip-audit" ]; then
    "$bin/python" -m venv "$tool" && "$tool/bin/pip" install --quiet --disable-pip-version-check pip-audit || {
        echo "pip-audit could not be installed: not checked" >&2
        exit 0
    }
fi
"$tool/bin/pip-audit" --progress-spinner off --disable-pip --require-hashes -r requirements.lock 2> "$tool/errors"
code=$?
if [ $code -ne 0 ] && grep -qiE "connection|resolve|timed? ?out|unreachable|service error|503" "$tool/errors"; then
    echo "the database of weaknesses is not reachable: not checked" >&2
    exit 0
fi
cat "$tool/errors" >&2
exit $code
