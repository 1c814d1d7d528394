"""Settings → how to reach Kafka and PostgreSQL. Reads secret files at the last moment; never prints or keeps them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhir_profiles.errors import Misconfigured
from gateway.settings import Settings

if TYPE_CHECKING:
    from streaming.postgres import PostgresConnection
    from streaming.topics import KafkaConnection

PROTOCOLS = {"plaintext": "PLAINTEXT", "tls": "SSL", "sasl-plaintext": "SASL_PLAINTEXT", "sasl-tls": "SASL_SSL"}
LONGEST_SECRET = 4096


def kafka_connection(settings: Settings) -> KafkaConnection:
    """Return where the brokers are and how to speak to them. Raises Misconfigured."""
    from streaming.topics import KafkaConnection  # the Kafka client is not loaded in the embedded form

    protocol = settings.kafka_protocol
    security: dict[str, Any] = {"security_protocol": PROTOCOLS[protocol]}
    if protocol.endswith("tls"):
        files = {
            "ssl_cafile": settings.kafka_ca_file,
            "ssl_certfile": settings.kafka_cert_file,
            "ssl_keyfile": settings.kafka_key_file,
        }
        if settings.kafka_key_file is not None:
            _closed("kafka_key_file", settings.kafka_key_file)
        security |= {name: str(file) for name, file in files.items() if file is not None}
    if protocol.startswith("sasl") and settings.kafka_sasl_password_file is not None:
        security |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_user,
            "sasl_plain_password": read_secret("kafka_sasl_password_file", settings.kafka_sasl_password_file),
        }
    return KafkaConnection(settings.kafka_bootstrap, security)


def postgres_connection(settings: Settings) -> PostgresConnection | None:
    """Return where the tables are, None when they are in the data folder. Raises Misconfigured.

    Without a password file libpq looks for its own (passfile, certificate, peer).
    """
    if settings.sink != "postgresql" or settings.postgres_dsn is None:
        return None
    from streaming.postgres import PostgresConnection

    file = settings.postgres_password_file
    password = read_secret("postgres_password_file", file) if file is not None else None
    return PostgresConnection(settings.postgres_dsn, password)


def read_secret(setting: str, file: Path) -> str:
    """Read a file that holds one line and is closed to others. Raises Misconfigured, which names the setting."""
    _closed(setting, file)
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Misconfigured("secret-unreadable", f"{setting}: the file cannot be read") from None
    if not text or len(text) > LONGEST_SECRET or not text.isprintable():
        raise Misconfigured("secret-malformed", f"{setting}: one line of text is expected in the file")
    return text


def _closed(setting: str, file: Path) -> None:
    try:
        status = os.stat(file)  # noqa: PTH116 — a link to a mounted secret is followed
    except OSError:
        raise Misconfigured("secret-unreadable", f"{setting}: no such file") from None
    if not stat.S_ISREG(status.st_mode):
        raise Misconfigured("secret-unreadable", f"{setting} is not a file")
    if status.st_mode & 0o007:
        raise Misconfigured("secret-readable-by-others", f"{setting}: others may read the file, set mode 0400")
