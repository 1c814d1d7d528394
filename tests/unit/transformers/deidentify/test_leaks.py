"""The leak scanner: what it must find in what would leave, and what must never be taken for a leak (P13)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.synthetic.bundles import workload
from tests.support.scrubbed import CONTRACT, FINESS, collection, encounter, observation, patient, scrubbed, visit
from transformers.contract import Contract
from transformers.deidentify.harmless import MOST, Harmless
from transformers.deidentify.leaks import Scanner
from transformers.deidentify.needles import fold, needles
from transformers.deidentify.rules import load_rules

PERSON: dict[str, Any] = patient(
    "ipp-778899",
    name=[{"family": "Dupont-Lefèvre", "given": ["Éloïse", "Zoé"]}],
    birthDate="1985-09-21",
    telecom=[{"system": "phone", "value": "06 12 34 56 78"}, {"system": "email", "value": "eloise7@courriel.example"}],
    address=[{"line": ["12 rue Gambetta"], "city": "Saint-Étienne"}],
    contact=[{"name": {"family": "Marchand"}}],
    identifier=[{"system": "https://hopital.example/ipp", "value": "IPP 0042 17"}],
)
STAY = encounter("sejour-2024-88", identifier=[visit("NDA-556677")])


def scanner(*resources: dict[str, Any], expected: Any = ()) -> Scanner:
    return Scanner(load_rules().public, resources or (PERSON, STAY), expected=expected)


def body(value: object) -> bytes:
    return orjson.dumps({"resourceType": "Observation", "code": {"coding": [{"code": value}]}})


@pytest.mark.parametrize(
    "text",
    [
        "285094415372645",  # a NIR with its right key
        "2 85 09 44 153 726 45",
        "785094415372686",  # NIA: a number that waits for a NIR
        "885094415372636",
        "1 85 01 2A 056 123 81",
        "quelqu.un@hopital.example",
        "0612345678",
        "06 12 34 56 78",
        "+33 6 12 34 56 78",
        "0033612345678",
        "10101234567",  # RPPS
        "810101234567",
        "690781810",  # another hospital's FINESS, where none is expected
        "https://dpi.example/fhir/Patient/1",
        "urn:oid:1.2.250.1.71.4.2.2",
        "mailto:x",
        "DUPONT",
        "lefevre",
        "Éloïse",
        "code dupont 7",
        "GAMBETTA",
        "Etienne",
        "marchand",
        "ipp-778899",
        "IPP 0042 17",
        "ipp004217",
        "nda-556677",
        "sejour-2024-88",
        "19850921",
        "21091985",
        "21/09/1985",
        "eloise7@courriel.example",
    ],
)
def test_what_looks_identifying_is_found(text: str) -> None:
    assert not scanner().is_clean([body(text)])


@pytest.mark.parametrize(
    "text",
    [
        "718-7", "2160-0", "I21.9", "B24+1", "DEQP003", "NZFA010···04·", "3400892088310", "3400930000014", "9208831",
        "61234567", "20053000", "404684003", "1461000205102", "73211009", "mm[Hg]", "10*9/L", "umol/L",
        "mL/min/{1.73_m2}",
        "2024-03-01T08:15:00+01:00", "1985-09-21", "1985-09-21T08:00:00Z", "2024-03", "2024", "home", "rehab", "final",
        "05M09T", "75", "2A", "9F", "75112", "8", "8 5", "RUM", "PMSIMCO", "http://loinc.org", "zoe", "7",
        "5MEGptD2NtYWgCfYBDffzw", "l2s6aGH--83UGs4_U7pqYsQdvkaZT5bxk0SbSe_aQq4", "http://snomed.info/sct",
        "http://snomed.info/sct/11000315107/version/20240621", "urn:snds-gateway:person",
    ],
)  # fmt: skip
def test_codes_dates_units_and_pseudonyms_are_no_leak(text: str) -> None:
    assert scanner().is_clean([body(text)])


@pytest.mark.parametrize(
    "text",
    [
        "285094415372646",  # a NIR with a wrong key is any number of 15 digits
        "2850944153726",  # without its key it may be a code of 13 digits (CIP13, UCD13)
        "985094415372645",  # no number of a person begins with 9
        "0012345678", "061234567", "06123456789", "+44 6 12 34 56 78",  # no French telephone
        "20101234567", "1010123456", "101012345678",  # no RPPS
        "690781811", "69078181", "6907818100",  # no FINESS: key, length
        "http", "urn", "10:30:00", "L/min", "1/2", "5-10", "0-9",
    ],
)  # fmt: skip
def test_near_misses_of_each_shape_are_no_leak(text: str) -> None:
    assert scanner().is_clean([body(text)])


def test_a_newborn_enters_on_its_birth_date_and_is_not_blocked() -> None:
    born = patient(birthDate="2024-03-01", name=[{"family": "Home", "given": ["Final"]}])

    result = scrubbed(collection(born, encounter(period={"start": "2024-03-01", "end": "2024-03-03"})))

    assert not result.refused
    assert b"2024-03-01" in result.bundles[0].body


def test_a_telephone_noted_on_the_day_of_entry_blocks_nothing() -> None:
    """Dates are never compared: a number that holds from the day of entry on is how every admission looks."""
    phone = {"system": "phone", "value": "06 12 34 56 78", "period": {"start": "2024-03-01"}}
    known = patient(telecom=[phone], meta={"lastUpdated": "2024-03-01T08:15:42+01:00"})

    result = scrubbed(collection(known, encounter(period={"start": "2024-03-01", "end": "2024-03-03"})))

    assert not result.refused
    assert not scanner(known).is_clean([body("0612345678")])


def test_synthetic_stays_and_their_facts_are_clean() -> None:
    contract = Contract(finess=FINESS, test=True)

    for posted in workload(7, 5):
        assert scrubbed(orjson.loads(posted), contract=contract).refused == {}


def test_what_leaves_in_clear_by_agreement_is_expected() -> None:
    for text in ("690781810", "https://hopital.example/labo"):
        assert not scanner().is_clean([body(text)])
        assert scanner(expected=({text},)).is_clean([body(text)])


def test_a_hit_blocks_its_entry_alone_and_is_counted_by_path_without_its_value() -> None:
    contract = Contract(finess=FINESS, code_systems=("https://hopital.example/labo",))
    leaking = observation("o1", code={"coding": [{"system": "https://hopital.example/labo", "code": "DUPONT-7"}]})

    result = scrubbed(collection(PERSON | {"id": "p1"}, leaking, observation("o2")), contract=contract)

    assert result.refused == {1: "leak-suspected"}
    assert [bundle.indices for bundle in result.bundles] == [(0, 2)]
    assert result.dropped["leak-suspected Observation.code.coding.code"] == 1
    assert not any("dupont" in f"{result!r}{key}".lower() for key in result.dropped)
    assert all(b"DUPONT" not in bundle.body for bundle in result.bundles)


def test_without_the_contract_s_system_the_same_code_is_hashed_and_no_leak() -> None:
    leaking = observation("o1", code={"coding": [{"system": "https://hopital.example/labo", "code": "DUPONT-7"}]})

    assert scrubbed(collection(PERSON | {"id": "p1"}, leaking), contract=CONTRACT).refused == {}


def test_a_leaking_bundle_leaves_nothing() -> None:
    contract = Contract(finess=FINESS, code_systems=("https://hopital.example/labo",))
    code = {"coding": [{"system": "https://hopital.example/labo", "code": "285094415372645"}]}

    result = scrubbed(collection(observation("o1", code=code), observation("o2", code=code)), contract=contract)

    assert (result.bundles, set(result.refused.values())) == ((), {"leak-suspected"})


def test_needles_are_words_of_four_letters_and_numbers_of_six_characters() -> None:
    found = needles([PERSON, STAY])

    assert {b"dupont", b"lefevre", b"eloise", b"gambetta", b"saint", b"etienne", b"marchand"} <= found.words
    assert b"zoe" not in found.words
    assert b"rue" not in found.words
    assert {b"0612345678", b"ipp004217", b"19850921", b"nda-556677"} <= found.numbers
    assert "Dupont" not in repr(found)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Müller", "muller"),
        ("ÉLODIE", "elodie"),
        ("Nguyễn", "nguyen"),
        ("Łódź", "łodz"),
        ("ﬁnd", "find"),
        ("Иван", "иван"),
    ],
)
def test_folding_takes_away_marks_and_case_and_keeps_letters(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_what_was_harmless_in_one_bundle_is_still_compared_with_the_names_and_numbers_of_the_next() -> None:
    harmless = Harmless()
    code = orjson.dumps({"code": "Kervadec"})
    number = orjson.dumps({"code": "10293847"})
    someone = {"resourceType": "Patient", "name": [{"family": "KERVADEC"}], "identifier": [{"value": "10293847"}]}
    public = load_rules().public

    for _ in range(20):
        assert Scanner(public, [], harmless=harmless).is_clean([code, number])

    assert {b"Kervadec", b"10293847"} <= harmless.seen.parts
    assert {b'Kervadec"},{"code', b'10293847"}'} <= harmless.seen.pieces
    after = Scanner(public, [someone], harmless=harmless)
    assert not after.is_clean([code])
    assert not after.is_clean([number])
    assert after.is_clean([orjson.dumps({"code": "10293848"})])


def test_a_name_that_is_a_word_of_published_json_blocks_nothing() -> None:
    someone = {"resourceType": "Patient", "name": [{"family": "True", "given": ["Null", "Code"]}]}
    encoded = orjson.dumps({"active": True, "code": "718-7"})

    for _ in range(3):
        assert Scanner(load_rules().public, [someone], harmless=load_rules().harmless).is_clean([encoded])


def test_a_suspect_shape_never_becomes_harmless_not_even_where_it_is_expected() -> None:
    harmless = Harmless()
    expected, other = (
        Scanner(frozenset(), [], expected=({FINESS},), harmless=harmless),
        Scanner(frozenset(), [], harmless=harmless),
    )
    encoded = orjson.dumps({"value": FINESS})

    assert expected.is_clean([encoded])
    assert FINESS.encode() not in harmless.seen.parts
    assert not any(FINESS.encode() in piece for piece in harmless.seen.pieces)
    assert not other.is_clean([encoded])


def test_no_date_and_no_pseudonym_is_kept() -> None:
    harmless = Harmless()
    kept = {"birthDate": "1985-09", "start": "2024-03-01T08:15:00+01:00", "value": "5MEGptD2NtYWgCfYBDffzw", "rank": 3}
    encoded = orjson.dumps(kept | {"code": "718-7", "system": "http://loinc.org"})

    assert Scanner(load_rules().public, [], harmless=harmless).is_clean([encoded])

    everything = b" ".join(harmless.seen.pieces | harmless.seen.parts)
    assert b"718-7" in everything
    assert all(text not in everything for text in (b"1985-09", b"2024-03-01", b"5MEGptD2NtYWgCfYBDffzw"))


@pytest.mark.parametrize(
    "value",
    [
        'x"DUPONT',
        "x\\DUPONT",
        'x":"06 12 34 56 78',
        ":",
        [":", "DUPONT"],
        ["8", ":", "285094415372645"],
        ["285094415372645", ":", "8"],
        {":": ":", "code": "DUPONT"},
        ["0612345678:", "mailto:quelqu.un"],
    ],
)
def test_no_quote_and_no_colon_in_a_value_hides_what_stands_beside_it(value: object) -> None:
    encoded = orjson.dumps({"resourceType": "Observation", "code": value, "status": "final"})

    assert scanner().is_clean([encoded]) == (value == ":")


def test_what_is_kept_is_forgotten_when_there_is_too_much_of_it() -> None:
    harmless = Harmless()
    one = Scanner(load_rules().public, [], harmless=harmless)

    for number in range(200):
        assert one.is_clean([orjson.dumps({"code": f"K{number:03d}.{place}"}) for place in range(200)])

    assert len(harmless.seen.parts) + len(harmless.seen.pieces) <= 2 * MOST
