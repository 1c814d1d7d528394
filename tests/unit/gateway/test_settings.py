"""Settings: an unknown name, a bad value or a broken combination starts nothing, and no line shows a value (P23)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fhir_profiles.errors import Misconfigured
from fhir_profiles.limits import Limits
from gateway.settings import FILE, Settings, documented, load_settings

KAFKA = {"GATEWAY_BROKER": "kafka", "GATEWAY_KAFKA_BOOTSTRAP": "kafka.example:9092"}
SECRET = "zqSecretValueZq"


def settings(folder: Path, text: str = "", **environ: str) -> Settings:
    (folder / FILE).write_text(text, encoding="utf-8")
    return load_settings(folder, environ)


def test_an_empty_file_gives_the_embedded_form_and_the_limits_of_the_design(tmp_path: Path) -> None:
    found = settings(tmp_path)

    assert (found.broker, found.sink, found.host, found.port, found.workers) == (
        "embedded", "duckdb", "127.0.0.1", 8080, 2,
    )  # fmt: skip
    assert found.limits == Limits()


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    found = settings(
        tmp_path, "port = 1234\nworkers = 3\n", GATEWAY_PORT="4321", GATEWAY_DATA_DIR="elsewhere", PATH="x"
    )

    assert (found.port, found.workers) == (4321, 3)


def test_relative_paths_are_inside_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "codes").mkdir()

    assert settings(tmp_path, 'nomenclatures = "codes"').nomenclatures == tmp_path / "codes"


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings(tmp_path).port = 1  # type: ignore[misc]


def test_brokers_elsewhere_are_spoken_to_over_tls_and_those_on_loopback_in_clear(tmp_path: Path) -> None:
    assert settings(tmp_path, **KAFKA).kafka_protocol == "tls"
    assert (
        settings(tmp_path, **KAFKA | {"GATEWAY_KAFKA_BOOTSTRAP": "127.0.0.1:9,localhost:8"}).kafka_protocol
        == "plaintext"
    )
    assert settings(tmp_path, **KAFKA, GATEWAY_KAFKA_SECURITY="plaintext").kafka_protocol == "plaintext"


@pytest.mark.parametrize(
    ("text", "environ", "named"),
    [
        ("prot = 8080", {}, "prot"),
        ("", {"GATEWAY_PROT": SECRET}, "GATEWAY_PROT"),
        ("", {"GATEWAY_port": "8080"}, "GATEWAY_port"),
        ("", {"GATEWAY_ACKS": "1"}, "GATEWAY_ACKS"),
        ("", {"GATEWAY_": "1"}, "GATEWAY_"),
        ("[server]\nport = 1", {}, "server"),
        ("port = 70000", {}, "port"),
        ('port = "eighty"', {}, "port"),
        ("port = true", {}, "port"),
        ("workers = 0", {}, "workers"),
        ("", {"GATEWAY_WORKERS": ""}, "GATEWAY_WORKERS"),
        ("max_depth = 129", {}, "max_depth"),
        ("max_entries = 0", {}, "max_entries"),
        ("body_timeout_s = 0", {}, "body_timeout_s"),
        ("body_timeout_s = nan", {}, "body_timeout_s"),
        ("", {"GATEWAY_BROKER": "rabbit"}, "GATEWAY_BROKER"),
        ("", {"GATEWAY_SINK": "oracle"}, "GATEWAY_SINK"),
        ("", {"GATEWAY_BROKER": "kafka"}, "kafka_bootstrap"),
        ("", {"GATEWAY_KAFKA_BOOTSTRAP": "kafka"}, "GATEWAY_KAFKA_BOOTSTRAP"),
        ("", {"GATEWAY_KAFKA_BOOTSTRAP": "kafka:99999"}, "GATEWAY_KAFKA_BOOTSTRAP"),
        ('kafka_security = "ssl"', {}, "kafka_security"),
        ("", KAFKA | {"GATEWAY_KAFKA_SECURITY": "sasl-tls"}, "kafka_sasl_user"),
        ("", KAFKA | {"GATEWAY_KAFKA_CERT_FILE": "gateway.toml"}, "kafka_key_file"),
        ("", KAFKA | {"GATEWAY_KAFKA_MIN_ISR": "4"}, "kafka_min_isr"),
        ("", KAFKA | {"GATEWAY_KAFKA_CA_FILE": "missing.pem"}, "kafka_ca_file"),
        ("", {"GATEWAY_SINK": "postgresql"}, "postgres_dsn"),
        ("", {"GATEWAY_POSTGRES_DSN": f"postgresql://snds:{SECRET}@db/snds"}, "postgres_dsn"),
        ("", {"GATEWAY_POSTGRES_DSN": f"host=db user=snds password={SECRET}"}, "postgres_dsn"),
        ("", {"GATEWAY_POSTGRES_DSN": f"postgresql://db/snds?password={SECRET}"}, "postgres_dsn"),
        ("", {"GATEWAY_NOMENCLATURES": "missing"}, "nomenclatures"),
        ("audit_retention_days = 0", {}, "audit_retention_days"),
        ('log_level = "trace"', {}, "log_level"),
        (f'port = "{SECRET}', {}, FILE),
    ],
)
def test_a_wrong_setting_starts_nothing_and_is_named_in_one_line_without_its_value(
    tmp_path: Path, text: str, environ: dict[str, str], named: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        settings(tmp_path, text, **environ)

    assert named in str(refused.value)
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_no_installation_is_said_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="snds-gateway init"):
        load_settings(tmp_path, {})


def test_every_field_but_the_folder_is_a_documented_setting() -> None:
    assert set(documented()) == {one.name for one in dataclasses.fields(Settings)} - {"data_dir"}
