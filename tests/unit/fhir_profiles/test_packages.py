"""Added packages: dependencies side by side, what is refused with file and element, what only is said; never half."""

from __future__ import annotations

import copy
import io
import json
import random
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles import package
from fhir_profiles.compiler import load_profiles
from fhir_profiles.errors import Misconfigured
from fhir_profiles.package_files import from_paths
from fhir_profiles.validator import Validator
from tests.support.made_profiles import MADE, Json, element, extension, profile, slicing, value_set, written
from tests.support.posted import patient

R4: Json = {"name": "test.guide", "version": "1.0.0", "fhirVersions": ["4.0.1"]}


def archived(path: Path, about: Json | None, *definitions: Json, more: dict[str, bytes] | None = None) -> Path:
    members = {} if about is None else {"package/package.json": json.dumps(about).encode()}
    members |= {f"package/{number}.json": json.dumps(one).encode() for number, one in enumerate(definitions)}
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (members | (more or {})).items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def loaded(*paths: Path) -> Validator:
    return Validator(load_profiles(paths, packages=("r4",)))


def refused(*paths: Path) -> str:
    with pytest.raises(Misconfigured) as error:
        loaded(*paths)
    return str(error.value)


def errors(validator: Validator, resource: Json, *profiles: str) -> list[tuple[str, str]]:
    found = validator.validate_resource(resource, french_profiles="declared", profiles=profiles)
    return [(one.code, one.expression) for one in found if one.blocks]


def test_an_archive_without_package_json_is_no_package(tmp_path: Path) -> None:
    archive = archived(tmp_path / "guide.tgz", None, profile("a", "Patient"))

    assert refused(archive) == "definitions-not-a-package: guide.tgz: no package/package.json in it"


@pytest.mark.parametrize("named", ["fhirVersions", "fhir-version-list"])
def test_a_package_of_another_fhir_version_is_refused_by_its_version(tmp_path: Path, named: str) -> None:
    about = {"name": "test.guide", "version": "1", named: ["5.0.0"]}

    assert refused(archived(tmp_path / "guide.tgz", about, profile("a", "Patient"))) == (
        "definitions-other-fhir: guide.tgz/package.json: made for FHIR 5.0.0, the product reads R4 (4.0.1)"
    )
    both = about | {named: ["4.0.1", "5.0.0"]}
    assert loaded(archived(tmp_path / "both.tgz", both, profile("a", "Patient"))).profiles.added()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", r"definitions-not-json: guide\.tgz/package\.json"),
        (b"[]", r"definitions-invalid: guide\.tgz/package\.json: not an object"),
        (b'{"dependencies": []}', r"package\.json: dependencies: not an object"),
    ],
)
def test_a_package_json_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    archive = archived(tmp_path / "guide.tgz", None, profile("a", "Patient"), more={"package/package.json": content})

    with pytest.raises(Misconfigured, match=said):
        from_paths([archive])


def test_a_dependency_that_is_nowhere_is_told_and_what_needs_it_is_refused(tmp_path: Path) -> None:
    about = R4 | {"dependencies": {"hl7.fhir.r4.core": "4.0.1", "other.guide": "2.0.0", "hl7.fhir.fr.core": "9.9.9"}}
    archive = archived(tmp_path / "guide.tgz", about, profile("a", "Patient"))

    assert loaded(archive).profiles.missing == (
        ("guide.tgz", "other.guide#2.0.0"),
        ("guide.tgz", "hl7.fhir.fr.core#9.9.9"),
    )
    needing = archived(tmp_path / "needing.tgz", about, profile("b", "Patient", base=MADE + "elsewhere"))
    assert refused(needing) == (
        f"definitions-invalid: needing.tgz/0.json: {MADE}b|1: its base {MADE}elsewhere is not loaded"
    )


@pytest.mark.parametrize("version", ["2.0.0", "2.0.x"])
def test_a_dependency_is_met_by_the_version_that_was_asked_for(tmp_path: Path, version: str) -> None:
    def other(number: str, *lines: Json) -> Path:
        about = R4 | {"name": "other.guide", "version": number}
        return archived(tmp_path / f"other-{number}.tgz", about, profile("base", "Patient", *lines, version=number))

    about = R4 | {"dependencies": {"other.guide": version}}
    guide = archived(tmp_path / "guide.tgz", about, profile("a", "Patient", base=MADE + "base"))
    older, newer = other("2.0.0", element("Patient.name", min=1)), other("3.0.0", element("Patient.birthDate", min=1))

    validator = loaded(older, guide, newer)

    assert validator.profiles.missing == ()
    assert validator.profiles.covered((f"{MADE}a|1",))[1] == f"{MADE}base|2.0.0"


def test_packages_that_depend_on_each_other_are_loaded_side_by_side(tmp_path: Path) -> None:
    def guide(name: str, needs: str, base: str | None) -> Path:
        about = R4 | {"name": name, "dependencies": {needs: "1.0.0"}}
        return archived(tmp_path / f"{name}.tgz", about, profile(name, "Patient", base=base))

    validator = loaded(guide("one", "two", MADE + "two"), guide("two", "one", None))

    assert validator.profiles.missing == ()
    assert errors(validator, patient(), MADE + "one") == []


def test_packages_of_one_file_name_and_names_with_spaces_stay_apart(tmp_path: Path) -> None:
    female = value_set("v", "female", system="http://hl7.org/fhir/administrative-gender")
    bound = element("Patient.gender", binding={"strength": "required", "valueSet": female["url"]})
    folders = [tmp_path / name / "my guide" for name in ("a", "b")]
    written(folders[0], profile("a", "Patient", bound), female)
    written(folders[1], profile("b", "Patient", element("Patient.name", min=1)))

    validator = loaded(*folders)

    assert errors(validator, patient(gender="male"), MADE + "a") == [("code-not-in-value-set", "Patient.gender")]
    assert errors(validator, patient(), MADE + "b") == [("missing-element", "Patient")]


def test_a_folder_of_unpacked_packages_knows_all_their_dependencies(tmp_path: Path) -> None:
    for name, needs in (("one", "other.one"), ("two", "other.two")):
        folder = written(tmp_path / "guides" / name / "package", profile(name, "Patient"))
        (folder / "package.json").write_text(json.dumps(R4 | {"name": name, "dependencies": {needs: "1.0.0"}}))

    [read] = from_paths([tmp_path / "guides"])

    assert read.missing == ("other.one#1.0.0", "other.two#1.0.0")


def test_what_an_archive_holds_besides_json_counts_for_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archived(tmp_path / "guide.tgz", R4, profile("a", "Patient"), more={"package/big.bin": bytes(9_000)})
    monkeypatch.setattr("fhir_profiles.package_files.MAXIMUM_PACKAGE_BYTES", 8_000)

    assert refused(archive) == "definitions-too-large: guide.tgz"


def test_a_file_that_may_not_be_read_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path / "guide", profile("a", "Patient"))

    def forbidden(_path: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(Misconfigured, match=r"definitions-not-readable: 0\.json"):
        from_paths([folder])


@pytest.mark.parametrize(
    ("definitions", "said"),
    [
        (
            [profile("a", "Patient", base=MADE + "b"), profile("b", "Patient", base=MADE + "a")],
            "a|1: https://profils.example/StructureDefinition/a is its own base",
        ),
        (
            [
                extension("e", "string")
                | {
                    "differential": {
                        "element": [
                            element("Extension.extension:x", type=[{"code": "Extension", "profile": [MADE + "e"]}]),
                            element("Extension.extension:x.value[x]", min=1),
                        ]
                    }
                }
            ],
            "e|1: https://profils.example/StructureDefinition/e is its own base, or the type of an element",
        ),
        ([profile("a", "Patient", element("Patient.name", min="1"))], "a: Patient.name: min: not a whole number"),
        ([profile("a", "Patient", element("Patient.name", max="many"))], "a: Patient.name: max: neither a number in"),
        (
            [profile("a", "Patient", element("Patient.name", constraint=[{"key": "k"}]))],
            "a: Patient.name: constraint[0].severity: missing",
        ),
        ([profile("a", "Patient") | {"kind": "thing"}], "a: kind: none of primitive-type, complex-type, resource"),
        (
            [value_set("v", "a") | {"compose": {"include": [{"system": "s", "concept": ["x"]}]}}],
            "v: compose.include[0].concept[0]: not an object",
        ),
    ],
)
def test_a_bad_definition_names_its_file_and_its_element(tmp_path: Path, definitions: list[Json], said: str) -> None:
    folder = written(tmp_path / "guide", *definitions)

    told = refused(folder)

    assert told.startswith("definitions-invalid: guide/0.json: https://profils.example/")
    assert said in told


def test_nothing_of_a_package_is_loaded_when_one_definition_of_it_is_bad(tmp_path: Path) -> None:
    good = profile("a", "Patient", element("Patient.name", min=1))
    bad = profile("z", "Patient", base=MADE + "none")
    cache_dir = tmp_path / "cache"

    with pytest.raises(Misconfigured, match=r"guide/1\.json"):
        load_profiles([written(tmp_path / "guide", good, bad)], cache_dir=cache_dir, packages=("r4",))
    with pytest.raises(Misconfigured, match=r"guide/1\.json"):  # a cache remembers the good half, never the verdict
        load_profiles([tmp_path / "guide"], cache_dir=cache_dir, packages=("r4",))


def test_value_sets_that_include_each_other_are_expanded_once_each(tmp_path: Path) -> None:
    def of(number: int, *included: int) -> Json:
        named = [{"valueSet": [f"https://profils.example/ValueSet/v{one}"]} for one in included for _ in range(3)]
        return value_set(f"v{number}", f"code-{number}") | {
            "compose": {"include": [{"system": "https://codes.example", "concept": [{"code": str(number)}]}, *named]}
        }

    sets = [of(number, number + 1, 0) for number in range(25)] + [of(25)]
    bound = element("Patient.gender", binding={"strength": "required", "valueSet": sets[0]["url"]})
    validator = loaded(written(tmp_path, profile("a", "Patient", bound), *sets))

    found = validator.validate_resource(patient(gender="male"), french_profiles="declared", profiles=[MADE + "a"])
    assert {one.code for one in found if one.profile and one.profile.startswith(MADE)} == {"value-set-unavailable"}


# --- any content ----------------------------------------------------------------------------------------------------

SYSTEM = "https://codes.example"
SOUND: list[Json] = [
    extension("e", "string"),
    value_set("v", "a", "b"),
    {
        "resourceType": "CodeSystem",
        "url": SYSTEM,
        "content": "complete",
        "concept": [{"code": "a", "property": [{"code": "p", "valueCode": "x"}], "concept": [{"code": "b"}]}],
    },
    {
        "resourceType": "ValueSet",
        "url": "https://profils.example/ValueSet/w",
        "compose": {
            "include": [
                {"system": SYSTEM, "filter": [{"property": "p", "op": "=", "value": "x"}]},
                {"valueSet": ["https://profils.example/ValueSet/v"]},
            ],
            "exclude": [{"system": SYSTEM, "concept": [{"code": "b"}]}],
        },
        "expansion": {"total": 2, "contains": [{"system": SYSTEM, "code": "a", "contains": [{"code": "b"}]}]},
    },
    profile(
        "p",
        "Patient",
        slicing("Patient.identifier", ("value", "system")),
        element("Patient.identifier:x", min=1, max="1"),
        element("Patient.identifier:x.system", fixedUri="https://x.example"),
        element("Patient.gender", binding={"strength": "required", "valueSet": "https://profils.example/ValueSet/w"}),
        element(
            "Patient.maritalStatus",
            patternCodeableConcept={"coding": [{"system": "https://s"}]},
            constraint=[{"key": "k-1", "severity": "error", "human": "x", "expression": "coding.exists()"}],
        ),
        element("Patient.extension:e", type=[{"code": "Extension", "profile": [MADE + "e"]}], min=1),
        element(
            "Patient.multipleBirth[x]", type=[{"code": "integer"}], minValueInteger=1, maxValueInteger=3, maxLength=2
        ),
    ),
    {
        "resourceType": "ImplementationGuide",
        "url": "https://profils.example/g",
        "global": [{"type": "Patient", "profile": MADE + "p"}],
    },
]
JUNK = [None, True, 0, -1, 1.5, "", "x", [], {}, [None], ["x"], [{}], {"x": 1}, MADE + "p", "Patient", "*", "é" * 300]


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield (*above, key)
        yield from places(one, (*above, key))


def harmed(chance: random.Random) -> list[Json]:
    definitions = copy.deepcopy(SOUND)
    *way, last = chance.choice([one for one in places(definitions) if len(one) > 1])
    node: Any = definitions
    for step in way:
        node = node[step]
    if chance.random() < 0.3:
        del node[last]
    else:
        node[last] = copy.deepcopy(chance.choice(JUNK))
    return definitions


def test_a_harmed_definition_is_refused_with_its_file_or_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_profiles.compiler.profiles.packaged", cache(package.packaged))
    chance = random.Random(20)
    right = patient(
        gender="a",
        maritalStatus={"coding": [{"system": "https://s"}]},
        extension=[{"url": MADE + "e", "valueString": "x"}],
        identifier=[{"system": "https://x.example", "value": "1"}],
        multipleBirthInteger=2,
    )
    told: list[str] = []
    for number in range(60):
        folder = written(tmp_path / str(number), *harmed(chance))
        try:
            validator = loaded(folder)
        except Misconfigured as error:
            told.append(str(error))
        else:
            for resource in (right, patient(gender="z")):
                validator.validate_resource(resource, french_profiles="declared")

    assert 10 < len(told) < 60
    assert [one for one in told if ".json: " not in one] == []
