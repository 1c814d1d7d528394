#!/bin/sh
# The HAPI FHIR client's archives from Maven Central (about 50 MB) into .hapi/lib, for tests. Not part of the product.
# Needs a JDK 17 and Maven. Does nothing when they are there already; gives up after five minutes.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
library="$here/.hapi/lib"
if ls "$library"/hapi-fhir-client-*.jar >/dev/null 2>&1; then
    exit 0
fi
building="$here/.hapi/lib.building"
rm -rf "$building"
timeout 300 mvn -q -B -f "$here/tests/support/hapi/pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$building" -DincludeScope=runtime
mv "$building" "$library"
