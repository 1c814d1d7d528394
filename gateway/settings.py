"""D/gateway.toml and GATEWAY_* variables → `Settings`: one frozen object, read once and passed down.

An unknown name, a bad value or a combination that breaks a promise is `Misconfigured`: nothing starts. No message
shows a value. What carries a promise (acks=all, order, no auto-commit) is a constant, not a setting. Promise: P23.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from fhir_profiles.errors import Misconfigured
from fhir_profiles.limits import DEEPEST, Limits
from gateway.setting_kinds import (
    Network,
    Reader,
    addresses,
    base_address,
    header_name,
    integer,
    networks,
    one_of,
    path,
    seconds,
    text,
)
from gateway.toml_file import read_toml

FILE = "gateway.toml"
PREFIX = "GATEWAY_"
DATA_DIR = "GATEWAY_DATA_DIR"  # says where the file is; read by the command line
MIB = 1024 * 1024

Broker = Literal["embedded", "kafka"]
Sink = Literal["duckdb", "postgresql"]
KafkaSecurity = Literal["plaintext", "tls", "sasl-plaintext", "sasl-tls"]
SaslMechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256"]
FrenchRules = Literal["warning", "ignore"]
LogLevel = Literal["debug", "info", "warning", "error"]

LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[?::1\]?):\d+")
PASSWORD_IN_DSN = re.compile(r"://[^/@]*:[^/@]*@|[?&\s]password\s*=|^\s*password\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Setting:
    """How one setting is read, and what docs/configuration.md says of it."""

    read: Reader
    about: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator may choose; relative paths are inside the data folder."""

    data_dir: Path

    host: Annotated[str, Setting(text, "Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Setting(integer(0, 65535), "Port to listen on; 0 lets the system choose.")] = 8080
    workers: Annotated[int, Setting(integer(1, 64), "Gateway processes.")] = 2
    writer_metrics_port: Annotated[
        int,
        Setting(integer(0, 65535), "Port of a table writer's own `/metrics` (server form), on `host`; 0: none."),
    ] = 0
    public_url: Annotated[
        str | None,
        Setting(base_address, "Address that hospitals use, `https://HOST`: the audience of SMART assertions."),
    ] = None
    trusted_proxies: Annotated[
        tuple[Network, ...], Setting(networks, "Addresses or networks of TLS proxies whose certificate header counts.")
    ] = ()
    client_certificate_header: Annotated[
        str, Setting(header_name, "Header in which they pass the client certificate (PEM, URL-encoded).")
    ] = "X-Client-Certificate"

    max_body_bytes: Annotated[int, Setting(integer(1, 256 * MIB), "Bytes of a body, after decompression (413).")] = (
        10 * MIB
    )
    max_entries: Annotated[int, Setting(integer(1, 100_000), "Entries of a bundle (413).")] = 1000
    max_depth: Annotated[int, Setting(integer(1, DEEPEST), "Nested objects and arrays (413).")] = 64
    max_string_bytes: Annotated[int, Setting(integer(1, 256 * MIB), "Bytes of one JSON string (413).")] = MIB
    body_timeout_s: Annotated[
        float, Setting(seconds(0.1, 600), "A body that has not arrived by then is cut (408).")
    ] = 10.0
    max_requests: Annotated[
        int, Setting(integer(1, 10_000), "Requests at work in one process; more are answered 503.")
    ] = 32
    max_bytes_in_flight: Annotated[
        int, Setting(integer(MIB, 4096 * MIB), "Bytes of the bodies at work in one process; more are answered 503.")
    ] = 64 * MIB
    quota_requests_per_s: Annotated[
        int, Setting(integer(0, 1_000_000), "Requests a second of one hospital, on one node (429); 0: no quota.")
    ] = 0
    quota_burst: Annotated[
        int, Setting(integer(1, 1_000_000), "Requests that a hospital may send at once under a quota.")
    ] = 100

    broker: Annotated[Broker, Setting(one_of(Broker), "Where events go: `D/events.sqlite`, or Kafka.")] = "embedded"
    log_retention_days: Annotated[
        int,
        Setting(integer(1, 3650), "Days that the embedded log keeps events; never less than the table writer needs."),
    ] = 7
    kafka_bootstrap: Annotated[tuple[str, ...], Setting(addresses, "Brokers, HOST:PORT separated by commas.")] = ()
    kafka_security: Annotated[
        KafkaSecurity | None,
        Setting(one_of(KafkaSecurity), "How to speak to them. Without it: `tls`, or `plaintext` on loopback."),
    ] = None
    kafka_ca_file: Annotated[
        Path | None, Setting(path, "PEM of the authority that signed the brokers' certificates.")
    ] = None
    kafka_cert_file: Annotated[Path | None, Setting(path, "PEM of our client certificate (mTLS).")] = None
    kafka_key_file: Annotated[Path | None, Setting(path, "PEM of its private key, mode 0400.")] = None
    kafka_sasl_mechanism: Annotated[SaslMechanism, Setting(one_of(SaslMechanism), "SASL mechanism.")] = "SCRAM-SHA-512"
    kafka_sasl_user: Annotated[str | None, Setting(text, "SASL user.")] = None
    kafka_sasl_password_file: Annotated[Path | None, Setting(path, "File that holds the SASL password, mode 0400.")] = (
        None
    )
    kafka_replication: Annotated[
        int, Setting(integer(1, 15), "Copies of each topic, on as many brokers; fewer are refused (78).")
    ] = 3

    kafka_min_isr: Annotated[
        int | None,
        Setting(integer(1, 15), "Copies that have an event before it is acknowledged. Without it: all but one."),
    ] = None

    sink: Annotated[
        Sink, Setting(one_of(Sink), "Where tables are: `D/tables.duckdb` with the lake, or PostgreSQL.")
    ] = "duckdb"
    postgres_dsn: Annotated[
        str | None, Setting(text, "Connection string, without a password: `postgresql://USER@HOST/DATABASE`.")
    ] = None
    postgres_password_file: Annotated[
        Path | None, Setting(path, "File that holds the password, mode 0400 (else libpq's own passfile).")
    ] = None

    french_rules: Annotated[
        FrenchRules,
        Setting(one_of(FrenchRules), "French business rules (NIR, RPPS, FINESS, PMSI): their warnings, or none."),
    ] = "warning"
    nomenclatures: Annotated[
        Path | None, Setting(path, "Folder of code lists (CIM-10, CCAM, NABM, CIP, UCD) to check by.")
    ] = None
    audit_retention_days: Annotated[int, Setting(integer(1, 3650), "Days that audit files are kept.")] = 365
    log_level: Annotated[
        LogLevel, Setting(one_of(LogLevel), "What the process says; never an identity at any level.")
    ] = "info"

    @property
    def base_url(self) -> str:
        """Return the address that hospitals use."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def limits(self) -> Limits:
        """Return the limits of one body."""
        return Limits(self.max_body_bytes, self.max_entries, self.max_depth, self.max_string_bytes)

    @property
    def kafka_protocol(self) -> KafkaSecurity:
        """Return how to speak to the brokers: what was set, else TLS unless all of them are on this machine."""
        if self.kafka_security is not None:
            return self.kafka_security
        return "plaintext" if all(LOOPBACK.fullmatch(one) for one in self.kafka_bootstrap) else "tls"


def load_settings(data_dir: Path, environ: Mapping[str, str]) -> Settings:
    """Read the settings of an installation; a variable wins over the file. Raises Misconfigured."""
    given: dict[str, tuple[str, object]] = {}
    for name, value in read_toml(data_dir / FILE).items():
        given[name] = (f"{FILE}: {name}", value)
    for name, text_given in environ.items():
        if name.startswith(PREFIX) and name != DATA_DIR:
            given[name.removeprefix(PREFIX).lower()] = (name, text_given)
    known = documented()
    values: dict[str, Any] = {}
    for name, (place, value) in given.items():
        if name not in known or place.removeprefix(PREFIX) == name:
            raise Misconfigured("setting-unknown", f"{place} is not a setting")
        try:
            read = known[name].read(value)
        except ValueError as failure:
            raise Misconfigured("setting-invalid", f"{place}: {failure}") from None
        values[name] = data_dir / read if isinstance(read, Path) else read
    settings = Settings(data_dir, **values)
    for code, detail in _contradictions(settings):
        raise Misconfigured(code, detail)
    return settings


def documented() -> dict[str, Setting]:
    """Return every setting by name, in the order of the document."""
    hints = get_type_hints(Settings, include_extras=True)
    found = {name: getattr(hint, "__metadata__", (None,))[0] for name, hint in hints.items()}
    return {name: setting for name, setting in found.items() if isinstance(setting, Setting)}


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.broker == "kafka":
        yield from _kafka(settings)
    if settings.sink == "postgresql" and settings.postgres_dsn is None:
        yield "setting-missing", "postgres_dsn: sink = postgresql needs it"
    if settings.postgres_dsn is not None and PASSWORD_IN_DSN.search(settings.postgres_dsn):
        yield "setting-secret", "postgres_dsn holds a password: use postgres_password_file or a passfile"
    if settings.nomenclatures is not None and not settings.nomenclatures.is_dir():
        yield "setting-invalid", "nomenclatures is not a folder"


def _kafka(settings: Settings) -> Iterator[tuple[str, str]]:
    if not settings.kafka_bootstrap:
        yield "setting-missing", "kafka_bootstrap: broker = kafka needs it"
    if settings.kafka_protocol.startswith("sasl") and not (
        settings.kafka_sasl_user and settings.kafka_sasl_password_file
    ):
        yield "setting-missing", "kafka_sasl_user and kafka_sasl_password_file: kafka_security = sasl-… needs both"
    if (settings.kafka_min_isr or 1) > settings.kafka_replication:
        yield "setting-invalid", "kafka_min_isr: more than kafka_replication can never be in sync"
    if (settings.kafka_cert_file is None) != (settings.kafka_key_file is None):
        yield "setting-missing", "kafka_cert_file and kafka_key_file go together"
    for name in ("kafka_ca_file", "kafka_cert_file", "kafka_key_file", "kafka_sasl_password_file"):
        file: Path | None = getattr(settings, name)
        if file is not None and not file.is_file():
            yield "setting-invalid", f"{name}: no such file"
