#!/bin/sh
# Apache Kafka's own archives from Maven Central into .kafka/lib: what tests start a real broker from. Not part of the product.
# Needs a JDK 17 and Maven (apt-get install openjdk-17-jre-headless maven). Does nothing when they are there already.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
library="$here/.kafka/lib"
if ls "$library"/kafka_2.13-*.jar >/dev/null 2>&1; then
    exit 0
fi
building="$here/.kafka/lib.building"
rm -rf "$building"
mvn -q -B -f "$here/tests/support/kafka/pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$building" -DincludeScope=runtime
mv "$building" "$library"
