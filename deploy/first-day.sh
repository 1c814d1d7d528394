#!/bin/sh
# The first day of an operator: from an empty machine to a bundle in PostgreSQL through Kafka over TLS, in one folder.
#
#   git clone … && cd fhir-snds-gateway          # Debian 12, Python 3.11
#   make install                                 # the product, in .venv
#   sh deploy/first-day.sh /srv/first-day        # as root the first time: it installs Java, Maven and PostgreSQL
#
# Everything listens on loopback, and ends with the script; KEEP=1 leaves it running until Ctrl-C. What a platform does on
# several machines is done here in the same order, each step by the command that docs/operation.md names.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
folder=${1:?the folder to make}
finess=${FINESS:-750712184}
http=${HTTP_PORT:-8080} kafka=${KAFKA_PORT:-9093} controller=${CONTROLLER_PORT:-9094} postgres=${POSTGRES_PORT:-5433}
PATH=$here/.venv/bin:$PATH
umask 077

say() { printf '%s\n' "== $*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
running=""
started() { running="$! $running"; }
ended() {
    code=$?
    trap - EXIT
    for pid in $running; do kill "$pid" 2>/dev/null || true; done  # what was started last ends first
    for pid in $running; do wait "$pid" 2>/dev/null || true; done
    exit $code
}
trap ended EXIT
trap 'exit 130' INT TERM
until_it() {  # NAME COMMAND…: until it succeeds, five minutes at most
    name=$1 tries=0; shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 1500 ] || fail "$name does not come up: see $folder/logs"
        sleep 0.2
    done
}

say "1. what is needed"
command -v snds-gateway >/dev/null || fail "no snds-gateway: make install"
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if ! command -v java >/dev/null || [ -z "$programs" ] || ! ls "$here"/.kafka/lib/kafka_2.13-*.jar >/dev/null 2>&1; then
    sh "$here/scripts/install_test_servers.sh"
    programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
fi
[ ! -e "$folder" ] || fail "$folder is there already: a first day begins with nothing"
mkdir -p "$folder" "$folder/tls" "$folder/logs"
chmod 0711 "$folder"

say "2. certificates: an authority, the broker, the gateways, the table writers, the owner of the topics"
ssl() { openssl "$@" 2>> "$folder/logs/openssl"; }
ssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=authority \
    -keyout "$folder/tls/authority.key" -out "$folder/tls/authority.pem"
for name in broker gateway writer owner; do
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > "$folder/tls/names"
    ssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
        -keyout "$folder/tls/$name.key" -out "$folder/tls/$name.request"
    ssl x509 -req -days 30 -in "$folder/tls/$name.request" -CA "$folder/tls/authority.pem" \
        -CAkey "$folder/tls/authority.key" -CAcreateserial -extfile "$folder/tls/names" -out "$folder/tls/$name.pem"
    chmod 0400 "$folder/tls/$name.key"
done
cat "$folder/tls/broker.key" "$folder/tls/broker.pem" "$folder/tls/authority.pem" > "$folder/tls/broker.together"

say "3. Kafka: TLS, nobody without a certificate of ours, no topic made by itself"
cat > "$folder/kafka.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller
listeners=SSL://127.0.0.1:$kafka,CONTROLLER://127.0.0.1:$controller
advertised.listeners=SSL://127.0.0.1:$kafka
listener.security.protocol.map=SSL:SSL,CONTROLLER:SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=SSL
ssl.keystore.type=PEM
ssl.keystore.location=$folder/tls/broker.together
ssl.truststore.type=PEM
ssl.truststore.location=$folder/tls/authority.pem
ssl.client.auth=required
auto.create.topics.enable=false
offsets.topic.replication.factor=1
log.dirs=$folder/kafka
PROPERTIES
printf 'rootLogger.level = info\nrootLogger.appenderRef.c.ref = c\nappender.c.type = Console\nappender.c.name = c\n' \
    > "$folder/log4j2.properties"
broker() { java -Xmx512m "-Dlog4j2.configurationFile=$folder/log4j2.properties" -cp "$here/.kafka/lib/*" "$@"; }
cluster=$(broker kafka.tools.StorageTool random-uuid 2>> "$folder/logs/kafka" | tail -n 1)
broker kafka.tools.StorageTool format -t "$cluster" -c "$folder/kafka.properties" --standalone >> "$folder/logs/kafka" 2>&1
# not by way of the function: its shell would be what is ended, and not the broker
java -Xmx512m "-Dlog4j2.configurationFile=$folder/log4j2.properties" -cp "$here/.kafka/lib/*" \
    kafka.Kafka "$folder/kafka.properties" >> "$folder/logs/kafka" 2>&1 &
started
until_it Kafka grep -q "Kafka Server started" "$folder/logs/kafka"

say "4. PostgreSQL: a cluster of its own, password by SCRAM"
openssl rand -hex 24 > "$folder/postgres-password"
chmod 0400 "$folder/postgres-password"
as_database=""
if [ "$(id -u)" = 0 ]; then  # PostgreSQL never runs as root
    as_database="setpriv --reuid=postgres --regid=postgres --clear-groups"
    install -d -m 0700 -o postgres "$folder/postgres"
    install -m 0400 -o postgres "$folder/postgres-password" "$folder/postgres-first-password"
else
    cp "$folder/postgres-password" "$folder/postgres-first-password"
fi
$as_database "$programs/initdb" -D "$folder/postgres" -U snds --auth=scram-sha-256 -E UTF8 --locale=C \
    --pwfile="$folder/postgres-first-password" > "$folder/logs/postgres" 2>&1
rm -f "$folder/postgres-first-password"
$as_database "$programs/postgres" -D "$folder/postgres" -p "$postgres" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= >> "$folder/logs/postgres" 2>&1 &
started
until_it PostgreSQL "$programs/pg_isready" -h 127.0.0.1 -p "$postgres"
database() { PGPASSWORD=$(cat "$folder/postgres-password") "$programs/psql" -h 127.0.0.1 -p "$postgres" -U snds "$@"; }
database -d postgres -qc "CREATE DATABASE snds"

say "5. the installation: a hospital, its keys, and the table writer's own folder"
GATEWAY_DATA_DIR=$folder/gateway WRITER_DATA_DIR=$folder/writer \
    sh "$here/deploy/setup.sh" --finess "$finess" --name "CHU Fictif" --test-identities > "$folder/logs/setup"
for who in gateway writer; do
    cat >> "$folder/$who/gateway.toml" <<SETTINGS

broker = "kafka"
kafka_bootstrap = ["127.0.0.1:$kafka"]
kafka_replication = 1  # one broker; a platform has three
kafka_security = "tls"
kafka_ca_file = "$folder/tls/authority.pem"
kafka_cert_file = "$folder/tls/$who.pem"
kafka_key_file = "$folder/tls/$who.key"
SETTINGS
done
cat >> "$folder/writer/gateway.toml" <<SETTINGS
sink = "postgresql"
postgres_dsn = "postgresql://snds@127.0.0.1:$postgres/snds"
postgres_password_file = "$folder/postgres-password"
SETTINGS
GATEWAY_KAFKA_CERT_FILE=$folder/tls/owner.pem GATEWAY_KAFKA_KEY_FILE=$folder/tls/owner.key \
    snds-gateway topics create --data-dir "$folder/gateway"
for who in gateway writer; do snds-gateway config check --data-dir "$folder/$who"; done

say "6. a gateway and a table writer"
snds-gateway serve --data-dir "$folder/gateway" --port "$http" >> "$folder/logs/gateway" 2>&1 &
started
snds-gateway tables run --data-dir "$folder/writer" >> "$folder/logs/writer" 2>&1 &
started
until_it "the gateway" curl --silent --fail "http://127.0.0.1:$http/health/ready"

say "7. a first bundle"
snds-gateway push "$here/docs/examples/first-bundle.json" --url "http://127.0.0.1:$http" \
    --key-file "$folder/gateway/credentials/$finess.key"
snds-gateway status --data-dir "$folder/writer" --wait-idle 300
stays=$(database -d snds -Atc "SELECT count(*) FROM snds.t_mco25b")
say "$stays stay of exit year 2025 in PostgreSQL: select * from snds.t_mco25b"
[ "$stays" = 1 ] || fail "one was expected"

if [ -n "${KEEP:-}" ]; then
    say "http://127.0.0.1:$http, PostgreSQL on $postgres; the key: $folder/gateway/credentials/$finess.key. Ctrl-C ends it."
    wait
fi
