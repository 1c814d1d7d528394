"""Packages side by side, the cache, bad definitions, what is not checked."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.compiler import load_profiles
from fhir_profiles.compiler.defects import known_defects
from fhir_profiles.errors import Misconfigured
from fhir_profiles.package_files import from_paths
from fhir_profiles.validator import Validator, load_validator
from tests.support.made_profiles import MADE, Json, element, extension, profile, slicing, written
from tests.support.posted import observation, patient

FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
PLACE = {"url": FR_CORE + "fr-core-patient-death-place", "valueString": "Lyon"}


@pytest.fixture(scope="module")
def validator() -> Validator:
    return load_validator()


def made(folder: Path, *definitions: Json) -> Validator:
    return Validator(load_profiles([written(folder, *definitions)], packages=("r4",)))


def errors(validator: Validator, resource: Json, *profiles: str) -> list[tuple[str, str]]:
    found = validator.validate_resource(resource, french_profiles="declared", profiles=profiles)
    return [(one.code, one.expression) for one in found if one.blocks]


def test_two_versions_of_fr_core_answer_differently_and_say_which(validator: Validator) -> None:
    other = patient(gender="other", extension=[PLACE])  # 2.1.0 has both, 2.2.0 neither

    def declared(version: str) -> list[tuple[str, str | None]]:
        meta = {"profile": [f"{FR_CORE}fr-core-patient|{version}"]}
        found = validator.validate_resource(other | {"meta": meta}, french_profiles="declared")
        return [(one.code, one.profile) for one in found if one.blocks]

    assert declared("2.1.0") == []
    assert declared("2.2.0") == [
        ("code-not-in-value-set", f"{FR_CORE}fr-core-patient|2.2.0"),
        ("type-not-allowed", f"{FR_CORE}fr-core-patient-death-place|2.2.0"),
    ]


def test_without_a_version_the_reference_version_is_meant_and_guides_mean_their_own(validator: Validator) -> None:
    profiles = validator.profiles
    eds = profiles.resolve("https://interop.esante.gouv.fr/ig/fhir/eds/StructureDefinition/EDSPatient")

    assert profiles.resolve(FR_CORE + "fr-core-patient") == FR_CORE + "fr-core-patient|2.2.0"
    assert eds is not None
    assert FR_CORE + "fr-core-patient|2.1.0" in profiles.covered((eds,))


def test_a_profile_that_is_asked_for_checks_what_it_adds_to_its_own_base(tmp_path: Path) -> None:
    base = profile("base", "Patient", element("Patient.name", min=1))
    above = profile("above", "Patient", element("Patient.birthDate", min=1), base=MADE + "base")
    validator = made(tmp_path, base, above)

    assert errors(validator, patient(), MADE + "above") == [
        ("missing-element", "Patient"),
        ("missing-element", "Patient"),
    ]


def test_fixed_and_pattern_values_bounds_and_taken_out_elements(tmp_path: Path) -> None:
    strict = profile(
        "strict",
        "Observation",
        element("Observation.code", patternCodeableConcept={"coding": [{"system": "https://s.example", "code": "1"}]}),
        element("Observation.status", fixedCode="final"),
        element("Observation.method", max="0"),
        element("Observation.value[x]", type=[{"code": "Quantity"}]),
        element("Observation.value[x].value", minValueDecimal=1),
        element("Observation.note", max="1"),
    )
    validator = made(tmp_path, strict)
    coding = {"system": "https://s.example", "code": "1", "display": "One"}
    right = observation(code={"coding": [{"code": "x"}, coding]}, valueQuantity={"value": 2}, note=[{"text": "x"}])
    wrong = observation(status="amended", method={"text": "x"}, valueString="2", note=[{"text": "x"}, {"text": "y"}])

    assert errors(validator, right, MADE + "strict") == []
    assert errors(validator, wrong, MADE + "strict") == [
        ("fixed-value", "Observation.status"),
        ("pattern-value", "Observation.code"),
        ("element-forbidden", "Observation.method"),
        ("type-not-allowed", "Observation.value.ofType(string)"),
        ("too-many", "Observation.note"),
    ]
    assert errors(validator, right | {"valueQuantity": {"value": 0.5}}, MADE + "strict") == [
        ("below-minimum", "Observation.value.ofType(Quantity).value")
    ]


def test_a_reference_wants_a_target_that_conforms_and_its_faults_are_told_once(tmp_path: Path) -> None:
    named = profile("named", "Patient", element("Patient.name", min=1))
    about = profile(
        "about",
        "Observation",
        element("Observation.subject", type=[{"code": "Reference", "targetProfile": [MADE + "named"]}]),
    )
    validator = made(tmp_path, named, about)

    def contained(person: Json) -> list[tuple[str, str]]:
        inner = {"resourceType": "Patient", "id": "p"} | person
        return errors(validator, observation(contained=[inner], subject={"reference": "#p"}), MADE + "about")

    assert contained({"name": [{"text": "x"}]}) == []
    assert contained({"active": True}) == [("reference-target-profile", "Observation.subject")]
    assert errors(validator, observation(subject={"reference": "Group/1"}), MADE + "about") == [
        ("reference-target-type", "Observation.subject")
    ]


def test_a_warm_cache_gives_the_same_answers_without_reading_a_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = patient(gender="z", nonsense=1, birthDate="32", name=[{"use": "x"}], extension=[PLACE])
    cold = load_validator(cache_dir=tmp_path / "cache")
    first = cold.validate_resource(wrong)
    monkeypatch.setattr("fhir_profiles.compiler.profiles.packaged", lambda _id: pytest.fail("a definition was read"))

    warm = load_validator(cache_dir=tmp_path / "cache")

    assert warm.validate_resource(wrong) == first
    assert first
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "cache").rglob("*")} == {0}


def test_a_cache_folder_that_others_may_write_is_refused_and_a_broken_file_is_made_again(tmp_path: Path) -> None:
    load_validator(cache_dir=tmp_path).validate_resource(patient())
    [folder] = tmp_path.iterdir()
    for path in folder.iterdir():
        path.write_bytes(b"not marshal")

    assert load_validator(cache_dir=tmp_path).validate_resource(patient(gender="z"))[0].code == "code-not-in-value-set"
    folder.chmod(0o770)
    with pytest.raises(Misconfigured, match="cache-folder-not-private"):
        load_validator(cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (profile("a", "Patient", base=MADE + "a"), "its own base"),
        (profile("a", "Patient", base=MADE + "none"), "none is not loaded"),
        (profile("a", "Patient") | {"differential": {}}, "differential.element: missing"),
        (profile("a", "Patient") | {"type": "Zork"}, "its type Zork is not that of its base, Patient"),
        (
            profile("a", "Patient", element("Patient.name", type=[{"code": "Zork"}])),
            "Patient.name: its type Zork is not",
        ),
        ({"resourceType": "StructureDefinition"}, "StructureDefinition without url"),
        ({"resourceType": "Patient", "url": "x"}, "no StructureDefinition"),
    ],
)
def test_a_bad_definition_is_one_clear_error_that_names_the_file(tmp_path: Path, definition: Json, said: str) -> None:
    folder = written(tmp_path / "guide", definition)

    with pytest.raises(Misconfigured, match=said) as refused:
        load_profiles([folder], packages=("r4",))

    assert "guide" in str(refused.value) or "0.json" in str(refused.value)


def test_a_line_about_an_element_that_does_not_exist_is_listed_and_the_rest_is_checked(tmp_path: Path) -> None:
    lines = [element(f"Patient.{name}", min=1) for name in ("nom", "name; import os", "name")]
    validator = made(tmp_path, profile("a", "Patient", *lines))

    assert errors(validator, patient(), MADE + "a") == [("missing-element", "Patient")]
    assert [rule for key, rule, _ in validator.profiles.not_checked() if key.startswith(MADE)] == [
        "Patient.nom",
        "Patient.name; import os",
    ]


def test_a_guide_may_demand_a_profile_of_every_resource_of_a_type(tmp_path: Path) -> None:
    guide = {
        "resourceType": "ImplementationGuide",
        "url": "https://profils.example/ImplementationGuide/g",
        "global": [{"type": "Patient", "profile": MADE + "a"}],
    }
    validator = made(tmp_path, profile("a", "Patient", element("Patient.name", min=1)), guide)

    assert errors(validator, patient()) == [("missing-element", "Patient")]
    assert errors(validator, observation()) == []


def test_an_archive_is_read_in_memory_with_its_dependencies(tmp_path: Path) -> None:
    about = {
        "name": "test.guide",
        "version": "1",
        "dependencies": {"hl7.fhir.r4.core": "4.0.1", "hl7.fhir.fr.core": "2.1.0"},
    }
    archive = archived(tmp_path / "guide.tgz", {"package.json": about, "a.json": profile("a", "Patient")})

    [package] = from_paths([archive])

    assert package.id == "guide.tgz"
    assert package.requires[-1] == "fr-core-2.1.0"
    assert "fr-core-2.2.0" not in package.requires


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "guide.tgz"
    broken.write_bytes(b"\x1f\x8b not an archive")

    with pytest.raises(Misconfigured, match=r"definitions-not-a-package: guide\.tgz"):
        from_paths([broken])


def test_hostile_names_and_strings_of_a_package_are_never_code(tmp_path: Path) -> None:
    bad = '")\nimport os\nos.abort()\n("'
    hostile = profile(
        "hostile",
        "Patient",
        slicing("Patient.identifier", ("value", "system")),
        element("Patient.identifier:x", min=1, max="1"),
        element("Patient.identifier:x.system", fixedUri=bad),
        element("Patient.gender", fixedCode=bad),
    )
    validator = made(tmp_path, hostile | {"url": MADE + "hostile"}, extension("e", "string"))

    assert [code for code, _ in errors(validator, patient(gender="male"), MADE + "hostile")] == [
        "slice-missing",
        "fixed-value",
    ]


def test_every_packaged_definition_compiles_and_what_is_not_checked_is_known(validator: Validator) -> None:
    validator.profiles.prepare()

    reasons = {reason.partition(" http")[0] for _, _, reason in validator.profiles.not_checked()}
    assert reasons == {"the discriminator fixes no value", "slices with the same discriminator values", "profile"}


def test_every_known_defect_names_a_rule_that_exists_with_a_reason_and_a_link(validator: Validator) -> None:
    for one in known_defects():
        assert validator.profiles.resolve(one.profile), one.profile
        assert one.reason
        assert one.link.startswith("https://")
        assert one.effect in ("ignore", "warning")


def test_a_template_that_no_instance_can_have_is_not_demanded(validator: Validator) -> None:
    stay: Json = {
        "resourceType": "Encounter",
        "meta": {"profile": [FR_CORE + "fr-core-encounter"]},
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "period": {"start": "2024-01-01"},
        "subject": {"reference": "Patient/1"},
    }
    visit = {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-identifier-type", "code": "VN"}
    identifier: dict[str, Any] = {"type": {"coding": [visit]}, "system": "https://h.fr/nda", "value": "1"}
    stay |= {"identifier": [identifier], "hospitalization": {"preAdmissionIdentifier": identifier}}

    assert errors(validator, stay) == []


def archived(path: Path, files: dict[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path
