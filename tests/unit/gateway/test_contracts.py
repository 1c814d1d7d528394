"""Contracts and credentials: read strictly, written back as they were read, and a key opens only its own door (P19)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fhir_profiles.errors import Misconfigured
from gateway import agreements
from gateway.cli.hospitals import Terms, add, install, load_units, rotate_key
from gateway.contracts import load_contracts, load_hospitals
from transformers.contract import Contract, Unit

FINESS = "750712184"
OTHER = "2A0000014"
CONTRACT = f"version = 1\n[hospital.{FINESS}]\n"


def key(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


def secret(data_dir: Path, name: str = FINESS) -> str:
    return key(data_dir / "credentials" / f"{name}.key")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    install(tmp_path / "d", Terms(FINESS, 'CHU "Fictif" d’Écouen', test_identities=True))
    return tmp_path / "d"


def test_a_written_contract_is_read_back_as_it_was(tmp_path: Path) -> None:
    contract = Contract(
        FINESS, 'CHU "Fictif"', "espic", "report", test=True, potential_identifiers=frozenset({"commune"}),
        dp_rule="longest-unit", legal_basis="public-mission", code_systems=("http://example.org/cs",),
    )  # fmt: skip
    agreements.append_contract(tmp_path, contract)
    agreements.append_contract(tmp_path, Contract(OTHER))

    assert load_contracts(tmp_path) == {FINESS: contract, OTHER: Contract(OTHER)}


def test_what_an_operator_wrote_stays_when_a_hospital_is_added(data_dir: Path) -> None:
    file = data_dir / "hospitals.toml"
    file.write_text(file.read_text() + "# a note of ours\n")

    add(data_dir, Terms(OTHER), scopes="write", platform_key=None)

    assert "# a note of ours" in file.read_text()
    assert set(load_contracts(data_dir)) == {FINESS, OTHER}


def test_the_first_key_has_every_scope_of_its_hospital_and_the_others_what_was_granted(data_dir: Path) -> None:
    add(data_dir, Terms(FINESS, source="LABO"), scopes="write", platform_key=None)
    hospitals = load_hospitals(data_dir)

    first, second = (hospitals.find(secret(data_dir, name)) for name in (FINESS, f"{FINESS}-LABO"))

    assert first is not None
    assert second is not None
    assert (first.source, first.scopes) == ("main", {"write", "validate", "rights", "operate"})
    assert (second.finess, second.source, second.scopes) == (FINESS, "LABO", {"write"})


def test_no_file_but_its_own_holds_an_api_key(data_dir: Path) -> None:
    own = data_dir / "credentials" / f"{FINESS}.key"

    assert [path for path in data_dir.rglob("*") if path.is_file() and key(own) in path.read_text()] == [own]
    assert key(own) not in repr(load_hospitals(data_dir))


def test_keys_are_0400_credentials_0600_and_the_folder_is_closed(data_dir: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in data_dir.rglob("*")}

    assert {modes[path.name] for path in (data_dir / "keys").iterdir()} == {0o400}
    assert modes[f"{FINESS}.key"] == modes["credentials.toml"] == 0o600
    assert data_dir.stat().st_mode & 0o777 == modes["keys"] == modes["credentials"] == 0o700


@pytest.mark.parametrize("wrong", ["", "sgk_", "x" * 57, "flip", "other-id", "other-case", "space"])
def test_nothing_but_the_key_itself_opens(data_dir: Path, wrong: str) -> None:
    right = secret(data_dir)
    flipped = "A" if right[-1] != "A" else "B"
    given = {
        "flip": right[:-1] + flipped,
        "other-id": f"sgk_{'0' * 8}_{right[13:]}",
        "other-case": right.swapcase(),
        "space": right + " ",
    }.get(wrong, wrong)

    assert load_hospitals(data_dir).find(given) is None


def test_after_a_rotation_the_old_key_opens_nothing(data_dir: Path) -> None:
    old = secret(data_dir)
    rotate_key(data_dir, FINESS, source="main")
    hospitals = load_hospitals(data_dir)

    assert hospitals.find(old) is None
    renewed = hospitals.find(secret(data_dir))
    assert renewed is not None
    assert renewed.scopes == {"write", "validate", "rights", "operate"}


def test_with_an_overlap_both_keys_open_until_it_ends(data_dir: Path) -> None:
    old = secret(data_dir)
    rotate_key(data_dir, FINESS, source="main", overlap_hours=2)
    hospitals = load_hospitals(data_dir)
    after = datetime.now(UTC) + timedelta(hours=2, seconds=1)

    assert hospitals.find(old) is not None
    assert hospitals.find(old, now=lambda: after) is None
    assert hospitals.find(secret(data_dir), now=lambda: after) is not None


def test_a_rotation_leaves_the_keys_of_other_sources(data_dir: Path) -> None:
    add(data_dir, Terms(FINESS, source="LABO"), scopes="write", platform_key=None)
    kept = secret(data_dir)

    rotate_key(data_dir, FINESS, source="LABO")

    assert load_hospitals(data_dir).find(kept) is not None
    assert secret(data_dir) == kept


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (Terms("75071218"), "finess-invalid"),
        (Terms(FINESS, source="../x"), "source-invalid"),
        (Terms(FINESS, name="a\nb"), "name-invalid"),
        (Terms(FINESS, potential_identifiers="commune,village"), "switch-unknown"),
    ],
)
def test_wrong_terms_make_no_installation(tmp_path: Path, terms: Terms, code: str) -> None:
    with pytest.raises(Misconfigured, match=code):
        install(tmp_path / "d", terms)

    assert not (tmp_path / "d").exists()


def test_an_installation_is_never_made_over_another(data_dir: Path) -> None:
    kept = secret(data_dir)
    with pytest.raises(Misconfigured, match="installation-exists"):
        install(data_dir, Terms(OTHER))

    assert secret(data_dir) == kept
    assert load_hospitals(data_dir).find(kept) is not None


def test_a_source_that_has_a_key_is_rotated_not_added(data_dir: Path) -> None:
    with pytest.raises(Misconfigured, match="rotate-key"):
        add(data_dir, Terms(FINESS), scopes="write", platform_key=None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "version"),
        ("version = 2", "version"),
        ("version = 1\n[hospitals.x]", "hospitals"),
        ("version = 1\n[hospital.75]", "FINESS"),
        ("version = 1\nhospital = 3", "hospital"),
        ("version = 1\n[hospital]\n750712184 = 3", FINESS),
        (CONTRACT + 'nam = "x"', "nam"),
        (CONTRACT + "name = 3", "name"),
        (CONTRACT + 'finess = "750712184"', "finess"),
        (CONTRACT + 'test = "yes"', "test"),
        (CONTRACT + 'legal_form = "prive"', "legal_form"),
        (CONTRACT + 'french_profiles = "strict"', "french_profiles"),
        (CONTRACT + 'dp_rule = "first"', "dp_rule"),
        (CONTRACT + 'legal_basis = "consent"', "legal_basis"),
        (CONTRACT + 'potential_identifiers = ["address"]', "potential_identifiers"),
        (CONTRACT + 'potential_identifiers = "commune"', "potential_identifiers"),
        (CONTRACT + "code_systems = [1]", "code_systems"),
        (CONTRACT + "name = x", "line 3"),
        (CONTRACT + "name = ", "end of document"),
    ],
)
def test_a_wrong_contract_is_refused_in_one_line_that_names_the_term(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "hospitals.toml").write_text(text)

    with pytest.raises(Misconfigured) as refused:
        load_contracts(tmp_path)

    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('scopes = ["admin"]', "scopes"),
        ("scopes = []", "scopes"),
        ('finess = "2A0000099"', "2A0000099"),
        ('source = "a b"', "source"),
        ('hashed = "secret"', "hashed"),
        ("expires = 2026-01-01", "expires"),
        ("expires = 2026-01-01T00:00:00", "expires"),
        ('role = "x"', "role"),
    ],
)
def test_a_wrong_credential_is_refused(data_dir: Path, line: str, named: str) -> None:
    file = data_dir / "credentials.toml"
    name = line.split(" ")[0]
    kept = [one for one in file.read_text().splitlines() if not one.startswith(f"{name} =")]
    file.write_text("\n".join([*kept, line]))

    with pytest.raises(Misconfigured, match=named) as refused:
        load_hospitals(data_dir)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_unit_table_becomes_part_of_the_contract(data_dir: Path, tmp_path: Path, separator: str) -> None:
    file = tmp_path / "units.csv"
    file.write_text("unit,finess_geo,type1,type2\nU1,750712192,07A,\n\nU2,750712200,,\n".replace(",", separator))

    load_units(data_dir, FINESS, file)

    assert load_contracts(data_dir)[FINESS].units == {"U1": Unit("750712192", "07A"), "U2": Unit("750712200")}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "units-header"),
        ("unit,finess\n", "units-header"),
        ("unit,finess_geo,type1,type2\nU1,75,,\n", "line 2"),
        ("unit,finess_geo,type1,type2\nU1,750712192\n", "line 2"),
        ("unit,finess_geo,type1,type2\nU1,750712192,,\nU1,750712192,,\n", "line 3"),
    ],
)
def test_a_wrong_unit_table_changes_nothing(data_dir: Path, tmp_path: Path, text: str, code: str) -> None:
    file = tmp_path / "units.csv"
    file.write_text(text)

    with pytest.raises(Misconfigured, match=code):
        load_units(data_dir, FINESS, file)

    assert load_contracts(data_dir)[FINESS].units == {}
