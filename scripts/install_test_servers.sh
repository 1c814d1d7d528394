#!/bin/sh
# What tests start for real: Java and Maven (Kafka, HAPI's client), PostgreSQL, nginx, Chromium, npm (axe-core),
# libfaketime (a clock that jumps, for processes of the tests alone). As root, from the distribution's packages; else
# says what is missing, and the tests that need it are skipped with the same line.
# No service of the machine is started.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)

missing=""
command -v javac >/dev/null || missing="$missing openjdk-17-jdk-headless"
command -v mvn >/dev/null || missing="$missing maven"
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$missing faketime"
command -v nginx >/dev/null || missing="$missing nginx-light"
command -v chromium >/dev/null || missing="$missing chromium"
command -v chromedriver >/dev/null || missing="$missing chromium-driver"
command -v npm >/dev/null || missing="$missing npm"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$missing postgresql"

if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "not installed, tests that need it are skipped; as root: apt-get install --no-install-recommends$missing" >&2
    else
        echo "installing from the distribution's packages:$missing" >&2
        case "$missing" in *postgresql*)  # tests make clusters of their own in temporary folders
            mkdir -p /etc/postgresql-common/createcluster.d
            [ -e /etc/postgresql-common/createcluster.d/none.conf ] ||
                echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/none.conf ;;
        esac
        # shellcheck disable=SC2086
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
            echo "could not be installed, tests that need it are skipped:$missing" >&2
        case "$missing" in *nginx*)  # the package starts one where systemd runs
            systemctl disable --now nginx >/dev/null 2>&1 || true ;;
        esac
    fi
fi

if command -v npm >/dev/null; then
    (cd "$here/../tests/support/browser" && npm ci --silent --no-audit --no-fund --ignore-scripts) >/dev/null 2>&1 ||
        echo "axe-core could not be fetched, the accessibility test is skipped" >&2
fi

if command -v java >/dev/null && command -v mvn >/dev/null; then
    sh "$here/fetch_kafka.sh" || echo "Kafka's archives could not be fetched, its tests are skipped" >&2
    sh "$here/fetch_hapi.sh" || echo "HAPI's client could not be fetched, its test is skipped" >&2
fi
