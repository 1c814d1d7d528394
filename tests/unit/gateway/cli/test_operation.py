"""`keys`, `topics`, `profiles`: what an operator looks at and adds; a bad package leaves nothing behind."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fhir_profiles.errors import Misconfigured
from fhir_profiles.validator import load_validator
from gateway.cli.hospitals import Terms, install
from gateway.cli.main import make_app
from gateway.definitions import added_definitions

FINESS = "750712184"
URL = "http://example.org/fhir/StructureDefinition/named-patient"
PROFILE = {
    "resourceType": "StructureDefinition",
    "url": URL,
    "version": "1.0.0",
    "name": "NamedPatient",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "differential": {
        "element": [{"id": "Patient", "path": "Patient"}, {"id": "Patient.name", "path": "Patient.name", "min": 1}]
    },
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    install(tmp_path / "d", Terms(FINESS))
    return tmp_path / "d"


@pytest.fixture
def run(data_dir: Path) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(make_app(), [*words, "--data-dir", str(data_dir)])


def archive(path: Path, *definitions: Any, depends: dict[str, str] | None = None) -> Path:
    about = {"name": path.stem, "version": "1.0.0", "fhirVersions": ["4.0.1"], "dependencies": depends or {}}
    files = {"package": about} | {f"definition-{number}": one for number, one in enumerate(definitions)}
    with tarfile.open(path, "w:gz") as packed:
        for name, one in files.items():
            content = json.dumps(one).encode()
            member = tarfile.TarInfo(f"package/{name}.json")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def test_keys_are_shown_by_their_ids_never_by_their_content(run: Callable[..., Result], data_dir: Path) -> None:
    shown = run("keys", "check", "--format", "json").stdout
    secrets = {path.read_text().strip() for path in (data_dir / "keys").iterdir()}

    assert set(json.loads(shown)) == {"platform.key", f"hospital-{FINESS}.key", "ledger.key", "tables.key"}
    assert all(re.fullmatch(r"[0-9a-f]{8}", one) for one in json.loads(shown).values())
    assert not any(secret in shown for secret in secrets)


def test_the_embedded_log_has_no_topics_to_create(run: Callable[..., Result]) -> None:
    assert isinstance(run("topics", "create").exception, Misconfigured)


def test_the_packages_of_the_product_are_listed_with_their_licences(run: Callable[..., Result]) -> None:
    listed = [json.loads(line) for line in run("profiles", "list", "--format", "json").stdout.splitlines()]

    assert {"r4@4.0.1", "fr-core@2.2.0", "fr-core@2.1.0"} <= {one["package"] for one in listed}
    assert all(one["licence"] and one["definitions"] for one in listed)


def test_a_profile_is_shown_by_what_it_adds_to_its_base(run: Callable[..., Result]) -> None:
    shown = run("profiles", "show", "fr-core-patient-ins", "--format", "json").stdout
    demands = {one["element"]: one for one in map(json.loads, shown.splitlines())}

    assert any("urn:oid:1.2.250.1.213.1.4.8" in one for one in demands["Patient.identifier:INS-NIR.system"]["demands"])
    assert "Patient.gender.id" not in demands


def test_versions_of_a_profile_are_told_apart(run: Callable[..., Result]) -> None:
    asked = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient"

    assert "|2.2.0" in run("profiles", "show", "fr-core-patient").stdout
    assert "|2.1.0" in run("profiles", "show", f"{asked}|2.1.0").stdout


def test_an_unknown_profile_is_said(run: Callable[..., Result]) -> None:
    assert isinstance(run("profiles", "show", "nobodys-profile").exception, Misconfigured)


def test_an_added_package_is_read_by_the_validator(run: Callable[..., Result], data_dir: Path, tmp_path: Path) -> None:
    done = run("profiles", "add", str(archive(tmp_path / "named.tgz", PROFILE)))
    validator = load_validator(added_definitions(data_dir))

    found = validator.validate_resource(
        {"resourceType": "Patient", "meta": {"profile": [URL]}}, french_profiles="declared"
    )

    assert done.exit_code == 0, done.output
    assert any(one.blocks and one.profile == f"{URL}|1.0.0" for one in found)
    assert "named.tgz" in run("profiles", "list").stdout
    assert "Patient.name" in run("profiles", "show", "named-patient").stdout


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        PROFILE | {"baseDefinition": "http://example.org/nothing"},
        PROFILE | {"baseDefinition": URL},
        {"resourceType": "Patient"},
    ],
    ids=["no archive", "no base", "its own base", "no definition"],
)
def test_a_bad_package_is_refused_and_nothing_of_it_is_kept(
    run: Callable[..., Result], data_dir: Path, tmp_path: Path, content: Any
) -> None:
    file = tmp_path / "bad.tgz"
    file.write_bytes(content) if isinstance(content, bytes) else archive(file, content)

    done = run("profiles", "add", str(file))

    assert isinstance(done.exception, Misconfigured)
    assert added_definitions(data_dir) == ()


def test_what_an_added_package_lacks_or_what_is_not_checked_of_it_is_told(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    rule = {"id": "Patient", "path": "Patient", "constraint": [{"key": "k-1", "severity": "error", "human": "x"}]}
    rule["constraint"][0]["expression"] = "frobnicate()"
    odd = PROFILE | {"differential": {"element": [rule]}}

    done = run("profiles", "add", str(archive(tmp_path / "odd.tgz", odd, depends={"other.guide": "2.0.0"})))

    assert done.exit_code == 0
    assert "odd.tgz depends on other.guide#2.0.0, which is not loaded" in done.stderr
    assert f"not checked: {URL}|1.0.0 k-1: the function frobnicate()" in done.stdout


def test_a_package_may_build_on_one_that_was_added_before(run: Callable[..., Result], tmp_path: Path) -> None:
    above = PROFILE | {"url": URL + "-above", "name": "Above", "baseDefinition": URL}

    alone = run("profiles", "add", str(archive(tmp_path / "above.tgz", above, depends={"named": "1.0.0"})))
    run("profiles", "add", str(archive(tmp_path / "named.tgz", PROFILE)))
    after = run("profiles", "add", str(tmp_path / "above.tgz"))

    assert isinstance(alone.exception, Misconfigured)
    assert after.exit_code == 0
    assert "depends on" not in after.stderr


def test_a_package_is_never_written_over_another(run: Callable[..., Result], tmp_path: Path) -> None:
    file = str(archive(tmp_path / "named.tgz", PROFILE))
    run("profiles", "add", file)

    assert isinstance(run("profiles", "add", file).exception, Misconfigured)
