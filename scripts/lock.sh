#!/bin/sh
# Resolve the four lock files, with hashes and without any registry address.
set -eu
bin=$1
options="--quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --strip-extras --allow-unsafe"
# shellcheck disable=SC2086
"$bin/pip-compile" $options -o requirements-build.lock requirements-build.in
# shellcheck disable=SC2086
"$bin/pip-compile" $options -o requirements.lock pyproject.toml
# shellcheck disable=SC2086
"$bin/pip-compile" $options -o requirements-fuzz.lock requirements-fuzz.in
# shellcheck disable=SC2086
"$bin/pip-compile" $options --extra dev -c requirements.lock -c requirements-build.lock -o requirements-dev.lock pyproject.toml
