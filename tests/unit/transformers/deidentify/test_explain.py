"""The explanation of a dry run: which rule did what to each element, without any posted word."""

from __future__ import annotations

import pytest

from tests.support.filled import Filler
from tests.support.scrubbed import batch, collection, encounter, observation, patient, scrubbed
from transformers.deidentify.rules import load_rules

RULES = load_rules()


def lines(*resources: dict[str, object]) -> dict[str, tuple[str, str]]:
    explained = scrubbed(collection(*resources), explain=True).explained
    return {path: (action, rule) for _, path, action, rule in explained}


def test_each_element_sent_is_explained_by_its_rule() -> None:
    found = lines(
        patient(name=[{"family": "Dupont"}], address=[{"postalCode": "75012"}], meta={"source": "x", "versionId": "1"}),
        encounter(period={"start": "2024-03-01"}),
        observation(valueQuantity={"value": 1}, _status={"id": "x"}, madeUp=1, performer=[{"display": "x"}]),
    )

    at = "Bundle.entry[{}].resource".format
    assert found[f"{at(0)}.name[0]"] == ("drop", "Patient.name = drop.identity")
    assert found[f"{at(0)}.birthDate"] == ("month", "Patient.birthDate = month")
    assert found[f"{at(0)}.address[0]"] == ("department", "Patient.address = department")
    assert found[f"{at(0)}.meta.source"] == ("drop", "Meta.source = drop.technical")
    assert found[f"{at(0)}.meta.versionId"] == ("counter", "Meta.versionId = counter")
    assert found[f"{at(0)}.id"] == ("used", "Resource.id = used")
    assert found[f"{at(1)}.period.start"] == ("minute", "Period.start = minute")
    assert found[f"{at(1)}.subject"] == ("reference", "Encounter.subject = reference")
    assert found[f"{at(2)}.performer[0]"] == ("drop", "Observation.performer = drop.professional")
    assert found[at(2)] == ("drop", "(no rule: does not leave)")  # names nobody knows are told by their parent


def test_types_that_never_leave_are_explained_as_a_whole() -> None:
    found = lines({"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Dupont"}]}, observation())

    assert found["Bundle.entry[0].resource"] == ("drop", "Practitioner: professional")


def test_extensions_are_explained_by_their_fate() -> None:
    fr = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
    urls = [f"{fr}fr-core-identity-reliability", f"{fr}fr-core-patient-nationality", "https://x.example/Dupont"]
    found = lines(patient(extension=[{"url": url} for url in urls]))

    at = "Bundle.entry[0].resource.extension"
    assert [found[f"{at}[{number}]"] for number in range(3)] == [
        ("used", "used-extensions.identity-status"),
        ("drop", "dropped-extensions.sensitive"),
        ("drop", "(no rule: does not leave)"),
    ]


def test_an_extension_that_leaves_is_explained_too() -> None:
    rank = "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/StructureDefinition/edsh-item-rank"
    claim = {"resourceType": "Claim", "id": "c1", "patient": {"reference": "Patient/p1"},
             "extension": [{"url": rank, "valuePositiveInt": 1}]}  # fmt: skip

    assert lines(claim)["Bundle.entry[0].resource.extension[0]"] == ("keep", f"extensions.{rank}")


@pytest.mark.parametrize("name", sorted(RULES.types))
def test_no_posted_word_stands_in_an_explanation(name: str) -> None:
    filler = Filler(RULES.elements)
    filled = filler.resource(name) | {filler.token(): filler.token()}

    explained = scrubbed(batch([{"resource": filled}]), explain=True).explained

    assert len(explained) > 10
    assert [token for token in filler.tokens if any(token in f"{line}" for line in explained)] == []


def test_nothing_is_explained_unasked() -> None:
    assert scrubbed(collection(patient())).explained == ()
