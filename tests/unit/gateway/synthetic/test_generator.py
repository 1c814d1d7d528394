"""The synthetic hospital: same seed, same bytes; marked as test data; fictitious numbers; what is planted is there."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_profiles.french.nir import parse_nir
from gateway.synthetic.bundles import stay_bundle, workload
from gateway.synthetic.catalogue import catalogue, ucd13
from gateway.synthetic.faults import FAULTS, plant
from gateway.synthetic.operator_files import operator_files
from gateway.synthetic.plan import SCHEDULE, SELDOM, plan_stay, plan_stays
from gateway.synthetic.scene import Hospital, with_key
from gateway.synthetic.writing import bundle_count, write_stays
from transformers.deidentify.checksums import sct_is_right
from transformers.snds.reference_kinds import KINDS
from transformers.snds.reference_tables import read_table

HOSPITAL = Hospital("750712184")
PROJECT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sixty stays: the manifest, and the bundles by file name."""
    folder = tmp_path_factory.mktemp("generated")
    manifest = write_stays(folder, seed=1, stays=60, hospital=HOSPITAL)
    bundles = {path.name: json.loads(path.read_bytes()) for path in sorted(folder.glob("0*.json"))}
    return manifest, bundles


def resources(bundles: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [
        entry["resource"]
        for bundle in bundles.values()
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == kind
    ]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        write_stays(tmp_path / name, seed=7, stays=21, hospital=HOSPITAL)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")})

    assert contents[0] == contents[1]
    write_stays(tmp_path / "other", seed=8, stays=21, hospital=HOSPITAL)
    assert (tmp_path / "other" / "000001-day-surgery.json").read_bytes() != contents[0]["000001-day-surgery.json"]


def test_the_operators_tables_are_as_reference_load_wants_them() -> None:
    tables = [read_table(KINDS[name], text) for name, text in operator_files(HOSPITAL).items()]

    assert len(tables) == 5
    assert [(table, table.problems) for table in tables if table.problems or not table.rows] == []


def test_a_stay_does_not_depend_on_how_many_are_planned() -> None:
    assert list(plan_stays(3, 45))[40] == plan_stay(3, 40)


def test_every_resource_is_marked_as_test_data(written: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for bundle in written[1].values():
        for marked in (bundle, *(entry["resource"] for entry in bundle["entry"])):
            assert "HTEST" in [tag["code"] for tag in marked["meta"]["tag"]]


def test_no_number_stands_under_a_real_national_identifier(written: tuple[dict[str, Any], dict[str, Any]]) -> None:
    systems = Counter(
        identifier["system"] for person in resources(written[1], "Patient") for identifier in person["identifier"]
    )

    assert set(systems) == {"urn:oid:1.2.250.1.213.1.4.10", "https://hopital-fictif.example/ipp"}
    assert "1.2.250.1.213.1.4.8" not in json.dumps(written[1])


def test_every_ins_has_the_right_shape_key_sex_and_birth(written: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for person in resources(written[1], "Patient"):
        for identifier in person["identifier"]:
            if identifier["system"].startswith("urn:oid"):
                nir = parse_nir(identifier["value"])
                assert nir is not None
                assert nir.key_is_right
                assert nir.sex_digit == {"male": "1", "female": "2"}.get(person["gender"], nir.sex_digit)
                assert nir.year + nir.month == person["birthDate"][2:4] + person["birthDate"][5:7]


def test_all_that_is_planted_is_there(written: tuple[dict[str, Any], dict[str, Any]]) -> None:
    manifest, bundles = written
    planted = manifest["planted"]

    assert {*SCHEDULE, *SELDOM, "correction"} - {"seldom"} <= set(planted)
    assert set(manifest["exits"]) == {"2022", "2023", "2024", "2025"}
    assert manifest["bundles"] == len(bundles) == bundle_count(60)
    assert manifest["resources"] == sum(len(bundle["entry"]) for bundle in bundles.values())
    assert len(manifest["faults"]) == 2
    assert {one["file"] for one in manifest["faults"]} == {name for name in bundles if "-wrong-" in name}


def test_a_stay_of_several_units_has_a_child_encounter_for_each(written: tuple[dict[str, Any], dict[str, Any]]) -> None:
    bundle = next(bundle for name, bundle in written[1].items() if name.endswith("-multi-unit.json"))
    root, *children = resources({"": bundle}, "Encounter")

    assert len(children) == 2
    assert {child["partOf"]["reference"] for child in children} == {f"Encounter/{root['id']}"}
    assert children[0]["period"]["start"] == root["period"]["start"]
    assert children[0]["period"]["end"] == children[1]["period"]["start"]
    assert children[1]["period"]["end"] == root["period"]["end"]


def test_a_newborn_lies_under_its_mother(written: tuple[dict[str, Any], dict[str, Any]]) -> None:
    mother, child = (
        next(bundle for name, bundle in written[1].items() if name.endswith(f"-{kind}.json"))
        for kind in ("mother", "newborn")
    )
    [its] = resources({"": child}, "Encounter")

    assert its["partOf"]["reference"] == f"Encounter/{resources({'': mother}, 'Encounter')[0]['id']}"
    assert its["subject"]["reference"] != resources({"": mother}, "Encounter")[0]["subject"]["reference"]
    assert resources({"": child}, "Patient")[0]["birthDate"] == its["period"]["start"][:10]


def test_a_correction_is_a_later_version(written: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = (
        next(bundle for name, bundle in written[1].items() if name.endswith(f"-{kind}.json"))
        for kind in ("corrected", "correction")
    )
    before, after = (resources({"": bundle}, "Condition")[0] for bundle in (first, second))

    assert before["id"] == after["id"]
    assert before["meta"]["lastUpdated"] < after["meta"]["lastUpdated"]
    assert before["code"]["coding"][0]["code"] != after["code"]["coding"][0]["code"]


def test_an_open_stay_has_no_end_and_no_event_after_it_was_last_known(
    written: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    bundle = next(bundle for name, bundle in written[1].items() if name.endswith("-open.json"))

    assert resources({"": bundle}, "Encounter")[0]["status"] == "in-progress"
    assert "end" not in resources({"": bundle}, "Encounter")[0]["period"]


def test_a_workload_bundle_is_as_large_as_the_measured_ones() -> None:
    bundles = list(workload(1, 40))

    entries = sum(len(orjson.loads(one)["entry"]) for one in bundles) / len(bundles)
    assert 43 < entries < 49
    assert 95_000 < sum(map(len, bundles)) / len(bundles) < 115_000
    assert bundles == list(workload(1, 40))


@pytest.mark.shared
def test_diagnoses_and_acts_are_in_the_official_lists(shared: Path) -> None:
    def codes(name: str) -> set[str]:
        with (shared / "snds" / "nomenclatures" / name).open(encoding="utf-8") as file:
            return {row[0] for row in csv.reader(file, delimiter=";") if row}

    cim10, ccam = codes("MS_CIM_V.csv"), codes("IR_CCAM_V63.csv")
    for pathway in catalogue().pathways:
        used = {pathway.principal, *pathway.associated, *filter(None, [pathway.related])}
        assert used <= cim10, pathway.name
        assert {act.rstrip("+") for act in pathway.acts} <= ccam, pathway.name


def test_numbers_of_places_and_products_have_their_keys() -> None:
    assert with_key("75071218") == "750712184"
    assert ucd13("9900011").startswith("340089900011")
    assert len(ucd13("9900011")) == 13


def test_every_snomed_code_has_its_check_digit(written: tuple[dict[str, Any], dict[str, Any]]) -> None:
    example = json.loads((PROJECT / "docs" / "examples" / "first-bundle.json").read_bytes())
    for bundles in (written[1], example):
        codes = set(snomed_codes(bundles))
        assert codes
        assert [code for code in codes if not sct_is_right(code)] == []


def snomed_codes(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("system") == "http://snomed.info/sct" and "code" in value:
            yield value["code"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from snomed_codes(one)


def test_the_lists_name_only_what_they_hold() -> None:
    lists = catalogue()

    for pathway in lists.pathways:
        assert set(pathway.drugs) <= set(lists.drugs)
        assert set(pathway.units) <= set(lists.units)


def test_a_stay_that_has_nothing_to_get_wrong_gets_the_next_mistake() -> None:
    stay = stay_bundle(1, HOSPITAL, plan_stay(1, 0))
    stay["entry"] = [one for one in stay["entry"] if one["resource"]["resourceType"] in ("Patient", "Encounter")]

    planted = {plant(stay, turn)[1].name for turn in range(len(FAULTS))}

    assert "french-gender" in planted
    assert "r5-encounter" not in planted
