#!/bin/sh
# Once, before `docker compose up`: makes the installation in the gateway's volume and moves what belongs to the table
# writer into its own. Arguments are those of `snds-gateway init`. The key of the tables never stays beside the others.
set -eu
gateway=${GATEWAY_DATA_DIR:-/data}
writer=${WRITER_DATA_DIR:-/writer}
snds-gateway init --data-dir "$gateway" "$@"
install -d -m 0700 "$writer/keys"
mv "$gateway/keys/tables.key" "$writer/keys/tables.key"
cp "$gateway/gateway.toml" "$gateway/hospitals.toml" "$writer/"
echo "the API key: docker compose run --rm --entrypoint cat gateway $gateway/credentials/FINESS.key"
