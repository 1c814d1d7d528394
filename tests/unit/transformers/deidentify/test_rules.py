"""rules.toml: what it must never let pass at start (P14). Each refusal names the rule and holds no value."""

from __future__ import annotations

import re

import orjson
import pytest

from fhir_profiles.errors import Misconfigured
from scripts.build_deidentify_elements import OUTPUT
from transformers.deidentify import elements
from transformers.deidentify.element_facts import facts
from transformers.deidentify.elements import packaged_elements
from transformers.deidentify.leaks import public_strings
from transformers.deidentify.rulebook import packaged_text, read_book
from transformers.deidentify.rules import load_rules, rules_of

TEXT = packaged_text()
DRG = "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/StructureDefinition/edsh-drg"


def changed(before: str, after: str) -> str:
    assert before in TEXT
    return TEXT.replace(before, after, 1)


@pytest.mark.parametrize(
    ("before", "after", "code", "names"),
    [
        ('month = ["birthDate"]', 'shred = ["birthDate"]', "rules-unknown-action", "shred"),
        ('month = ["birthDate"]', 'month = ["birthDay"]', "rules-match-nothing", "Patient.birthDay"),
        ('month = ["birthDate"]', "", "rules-unclassified", "Patient.birthDate"),
        ('month = ["birthDate"]', 'keep = ["birthDate"]', "rules-malformed", "TOML"),
        ('day = ["deceasedDateTime"]', 'month = ["deceasedDateTime"]', "rules-malformed", "TOML"),
        ('keep = ["active", "gender",', 'keep = ["active", "name", "gender",', "rules-twice", "Patient.name"),
        ('drop.identity = ["name", "telecom", "photo"]', 'drop.identity = ["telecom", "photo"]', "rules-unclassified",
         "Patient.name"),
        ('drop.identity = ["name", "telecom", "photo"]', 'drop.shame = ["name", "telecom", "photo"]',
         "rules-unknown-reason", "shame"),
        ('drop.text = ["note", "onsetString", "abatementString"]',
         'keep2 = ["note"]\ndrop.text = ["onsetString", "abatementString"]', "rules-unknown-action", "keep2"),
        ('"Practitioner", "PractitionerRole", "CareTeam"', '"Practitioner", "CareTeam"', "rules-unclassified",
         "PractitionerRole"),
        ('"Practitioner", "PractitionerRole", "CareTeam"', '"Practitioner", "PractitionerRole", "Wizard"',
         "rules-unknown-type", "Wizard"),
        ('  "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-comment",\n', "", "rules-unclassified",
         "fr-core-comment"),
        ('on = ["Claim", "Claim.item"]', 'on = ["Claim", "Claim.thing"]', "rules-match-nothing", "Claim.thing"),
        ('[systems.shapes]\ncim10', '[systems.shapes]\ncim99 = []\ncim10', "rules-unknown-shape", "cim99"),
        ('version = 1', 'version = 2', "rules-malformed", "version"),
        ('drop.technical = ["id"]', 'drop.technical = ["id"]\n[Practitioner]\nkeep = ["active"]', "rules-unknown-type",
         "Practitioner"),
        ('keep = ["status", "mode"]', 'keep = ["status", "mode", "hoursOfOperation.allDay"]',
         "rules-twice", "Location.hoursOfOperation"),
        ('text = ["Composition"]', 'text = ["Composition", "Patient"]', "rules-twice", "Patient"),
        ('third-party = ["RelatedPerson",', 'third-party = ["Practitioner", "RelatedPerson",', "rules-twice",
         "Practitioner"),
        ("residence = [", f'residence = ["{DRG}", ', "rules-twice", "edsh-drg"),
        ("[Location]", "[Wizard]", "rules-unknown-type", "Wizard"),
        ('ccam = ["Procedure.code",', 'ccam = ["Procedure.note",', "rules-match-nothing", "Procedure.note"),
    ],
)  # fmt: skip
def test_a_wrong_rule_refuses_to_start(before: str, after: str, code: str, names: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        rules_of(changed(before, after))

    assert caught.value.code == code
    assert names in caught.value.detail


@pytest.mark.parametrize(
    ("line", "type_name"),
    [
        ('keep = ["text"]', "string"),
        ('keep = ["name"]', "HumanName"),
        ('keep = ["photo"]', "Attachment"),
        ('keep = ["contact.name"]', "HumanName"),
    ],
)
def test_no_rule_can_keep_a_text_or_an_identity(line: str, type_name: str) -> None:
    table = "Dosage" if type_name == "string" else "Patient"
    text = re.sub(rf"(?ms)^\[{table}\]$.*?^$", f"[{table}]\n{line}\n", TEXT, count=1)

    with pytest.raises(Misconfigured) as caught:
        rules_of(text)

    assert (caught.value.code, type_name in caught.value.detail) == ("rules-unfit", True)


def test_the_version_changes_with_the_rules_and_with_nothing_else() -> None:
    assert rules_of(TEXT).version == load_rules().version
    assert rules_of(TEXT + "\n# reviewed\n").version != load_rules().version
    assert re.fullmatch("[0-9a-f]{12}", load_rules().version)


def test_facts_of_other_definitions_are_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    read = packaged_elements()
    packaged_elements.cache_clear()
    monkeypatch.setattr(elements, "manifest", dict)
    try:
        made = packaged_elements()
    finally:
        monkeypatch.undo()
        packaged_elements.cache_clear()

    assert (made.types, made.french, made.published) == (read.types, read.french, read.published)


def test_elements_are_those_of_the_packaged_definitions() -> None:
    made = orjson.dumps(facts(), option=orjson.OPT_SORT_KEYS) + b"\n"

    assert OUTPUT.read_bytes() == made


def test_every_rule_says_why_in_both_languages() -> None:
    book = load_rules().book

    used = {rule.reason or rule.action for table in book.types.values() for rule in table.values()}
    used |= {*book.dropped_types.values(), *book.containers.values(), *book.dropped_extensions.values()}
    assert used <= book.texts.keys()
    assert all(text["fr"] and text["en"] for text in book.texts.values())


def test_no_name_of_a_person_is_hidden_among_the_public_strings() -> None:
    public = public_strings(read_book(TEXT), load_rules().elements)

    assert b"home" in public  # a code of discharge dispositions: nobody called Home is blocked for it
    assert not {b"dupont", b"Dupont", b"DUPONT", b"martin", b"Martin", b"MARTIN"} & public
