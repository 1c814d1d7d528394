"""Who is who: one key a resource, one set of aliases a person and a stay, whatever the spelling (DESIGN §4, P15)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.scrubbed import (
    CONTRACT,
    INS_NIA,
    INS_NIR,
    INS_TEST,
    TEST_CONTRACT,
    V2_0203,
    VISIT_TYPES,
    batch,
    collection,
    contents,
    encounter,
    flags,
    identifier,
    ins,
    ipp,
    key,
    observation,
    only,
    patient,
    resources,
    scrubbed,
    urn,
    values,
    visit,
)


def aliases(**elements: Any) -> list[str]:
    return values(only(scrubbed(collection(patient(**elements)), contract=TEST_CONTRACT), "Patient"), "person")


def stays(**elements: Any) -> list[str]:
    return values(only(scrubbed(collection(encounter(**elements))), "Encounter"), "stay")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ins("2 85 09 44 153 726 54"), ins("285094415372654")),
        (ins("2850944153726"), ins("285094415372654")),
        (ins("285094415372699"), ins("285094415372654")),  # a wrong key is the same person, flagged
        (ins("185012A05612345"), ins("1 85 01 2a 056 123")),
        (ins(system="1.2.250.1.213.1.4.8"), ins(system=INS_NIR)),  # an OID without urn:oid:
        (ipp(" IPP 1 "), ipp("IPP 1")),
        (ipp(system="https://hopital.example/ipp/"), ipp(system="https://hopital.example/ipp")),
        (ipp(system="1.2.250.1.71.4.2.2.750712184.1"), ipp()),
        (ipp() | {"use": "usual", "type": {"coding": [{"system": V2_0203, "code": "PI", "display": "IPP"}]}}, ipp()),
    ],
)
def test_two_spellings_of_one_number_are_one_alias(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert aliases(resource_id=None, identifier=[one]) == aliases(resource_id=None, identifier=[other])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ins("285094415372654"), ins("285094415372754")),
        (ins(system=INS_NIR), ins(system=INS_NIA, code="INS-NIA")),
        (ins(system=INS_NIR), ins(system=INS_TEST, code="INS-NIR-TEST")),
        (ipp("1"), ipp("01")),
        (ipp("a"), ipp("A")),
        (ipp(system="https://a.example"), ipp(system="https://b.example")),
        (ipp("1"), ins("285094415372654")),
    ],
)
def test_two_numbers_are_two_aliases(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not set(aliases(resource_id=None, identifier=[one])) & set(aliases(resource_id=None, identifier=[other]))


def test_a_patient_is_known_by_its_id_then_its_ipp_then_its_ins() -> None:
    by_id, by_ipp, by_ins = aliases(identifier=[ins(), ipp()])

    assert aliases() == [by_id]
    assert aliases(resource_id=None, identifier=[ipp()]) == [by_ipp]
    assert aliases(resource_id=None, identifier=[ins()]) == [by_ins]


@pytest.mark.parametrize(
    "shared",
    [
        identifier("NH", INS_NIR, "285094415372654"),  # a billing number: the insured's, shared in a family
        identifier("NH", "https://caisse.example", "285094415372654"),
        {"system": "https://hopital.example/numero", "value": "12345"},  # nothing says what it is
        ins("111111111111111"),
        ins("199999999999999"),
        ins("INCONNU"),
        {"type": {"coding": [{"system": V2_0203, "code": "PI"}]}, "system": "https://a.example", "value": "  "},
    ],
)
def test_what_may_be_shared_or_made_up_identifies_nobody(shared: dict[str, Any]) -> None:
    result = scrubbed(collection(patient(None, identifier=[shared])))

    assert (result.bundles, result.refused) == ((), {0: "no-stable-identity"})


def test_restful_ids_hold_in_their_source_and_numbers_in_the_whole_hospital() -> None:
    posted = collection(patient(identifier=[ipp(), ins()]), encounter(identifier=[visit()]))
    main, laboratory = scrubbed(posted), scrubbed(posted, source="LABO")

    persons = [values(only(one, "Patient"), "person") for one in (main, laboratory)]
    stays = [values(only(one, "Encounter"), "stay") for one in (main, laboratory)]
    assert persons[0][0] != persons[1][0]
    assert persons[0][1:] == persons[1][1:]
    assert stays[0][0] != stays[1][0]
    assert stays[0][1:] == stays[1][1:]
    assert values(only(main, "Patient"), "ipp") == values(only(laboratory, "Patient"), "ipp")
    assert key(only(main, "Patient")) != key(only(laboratory, "Patient"))


def test_a_reference_by_number_by_url_and_by_search_names_the_alias_that_the_patient_declares() -> None:
    system = "https://hopital.example/ipp"
    declared = aliases(identifier=[ipp("1", system), ins()])
    subjects = [
        {"reference": "Patient/p1"},
        {"reference": "https://dpi.example/fhir/Patient/p1/_history/3"},
        {"identifier": ipp("1", system)},
        {"identifier": {"system": system, "value": "1"}},
        {"reference": f"Patient?identifier={system}%7C1"},
        {"type": "Patient", "identifier": ins()},
    ]

    found = [
        only(scrubbed(collection(observation(subject=subject))), "Observation")["subject"]["identifier"]["value"]
        for subject in subjects
    ]

    assert found == [declared[0], declared[0], declared[1], declared[1], declared[1], declared[2]]


def test_a_urn_refers_to_the_entry_of_the_bundle() -> None:
    result = scrubbed(
        collection(
            patient(None, identifier=[ipp()]),
            encounter(None, identifier=[visit()], subject={"reference": urn(0)}),
            observation(None, subject={"reference": urn(0)}, encounter={"reference": urn(1)}),
        )
    )

    made = only(result, "Observation")
    assert made["subject"]["identifier"]["value"] == values(only(result, "Patient"), "person")[0]
    assert made["encounter"]["identifier"]["value"] == values(only(result, "Encounter"), "stay")[0]


def test_a_resource_without_id_is_its_smallest_business_identifier() -> None:
    numbers = [{"system": "https://lab.example/b", "value": "1"}, {"system": "https://lab.example/a", "value": "2"}]
    keys = {
        key(only(scrubbed(collection(observation(None, identifier=listed)), source=source), "Observation"))
        for listed in (numbers, numbers[::-1], numbers[1:])
        for source in ("main", "LABO")
    }

    assert len(keys) == 1


def test_a_resource_known_by_its_full_url_only_is_flagged() -> None:
    made = only(scrubbed(collection(observation(None))), "Observation")

    assert flags(made) == {"unstable-identity"}
    assert flags(only(scrubbed(collection(observation())), "Observation")) == set()


def test_a_resource_posted_alone_without_any_name_is_known_by_its_content() -> None:
    made = [key(only(scrubbed(observation(None, issued=at)), "Observation")) for at in ("2024-03-01T08:00:00Z",) * 2]
    other = key(only(scrubbed(observation(None, issued="2024-03-01T09:00:00Z")), "Observation"))

    assert made[0] == made[1] != other


def test_a_conditional_put_declares_the_alias_that_it_searches() -> None:
    entry = {
        "resource": patient(None),
        "request": {"method": "PUT", "url": "Patient?identifier=https://hopital.example/ipp|1"},
    }

    made = only(scrubbed(batch([entry])), "Patient")

    assert values(made, "person") == aliases(resource_id=None, identifier=[ipp("1", "https://hopital.example/ipp")])


def test_an_encounter_is_known_by_its_id_its_visit_number_its_movement_and_an_untyped_number() -> None:
    system = "https://hopital.example/nda"
    movement = identifier("MN", "https://hopital.example/mvt", "7", types=VISIT_TYPES)

    by_id, by_visit, by_movement = stays(identifier=[movement, visit(system=system)])
    assert stays() == [by_id]
    assert stays(resource_id=None, identifier=[visit(system=system)]) == [by_visit]
    assert stays(resource_id=None, identifier=[{"system": system, "value": "NDA-1"}]) == [by_visit]
    assert stays(resource_id=None, identifier=[movement]) == [by_movement]


def test_a_child_refers_to_its_parent_by_alias_and_by_key() -> None:
    result = scrubbed(
        collection(
            encounter("root", identifier=[visit()]),
            encounter("child", identifier=[visit()], partOf={"reference": "Encounter/root"}),
        )
    )

    root, child = (one for one in contents(result) if one["resourceType"] == "Encounter")
    assert child["partOf"] == {
        "type": "Encounter",
        "identifier": {"system": "urn:snds-gateway:stay", "value": values(root, "stay")[0]},
        "extension": [{"url": "urn:snds-gateway:resource", "valueString": key(root)}],
    }


def test_a_test_identity_is_refused_and_whatever_is_about_it_too() -> None:
    posted = batch([{"resource": one} for one in (
        patient(identifier=[ins(system=INS_TEST, code="INS-NIR-TEST")]), observation(), encounter(),
        patient("p2"), observation("o2", subject={"reference": "Patient/p2"}),
    )])  # fmt: skip

    assert scrubbed(posted, contract=CONTRACT).refused == dict.fromkeys((0, 1, 2), "test-identity")
    assert scrubbed(posted, contract=TEST_CONTRACT).refused == {}


@pytest.mark.parametrize(
    "subject", [None, {"display": "Marie Dupont"}, {"reference": "Group/g1"}, {"reference": urn(9)}]
)
def test_what_is_about_nobody_is_refused(subject: dict[str, str] | None) -> None:
    one = observation(subject=subject) if subject else {k: v for k, v in observation().items() if k != "subject"}

    assert scrubbed(batch([{"resource": one}])).refused == {0: "no-stable-identity"}


def test_a_stay_without_subject_travels_under_its_own_alias() -> None:
    lonely = {k: v for k, v in encounter(identifier=[visit()]).items() if k != "subject"}
    result = scrubbed(collection(lonely, observation(subject={"display": "?"}, encounter={"identifier": visit()})))

    assert {bundle.key.partition("|")[0] for bundle in result.bundles} == {"stay"}
    assert not result.refused


def test_two_patients_that_share_a_number_are_one_person() -> None:
    result = scrubbed(
        collection(
            patient("p1", identifier=[ipp("1")]),
            patient("p2", identifier=[ipp("1"), ipp("2")]),
            observation(subject={"identifier": ipp("2")}),
        )
    )

    assert [bundle.indices for bundle in result.bundles] == [(0, 1, 2)]


def test_a_merged_patient_keeps_its_link() -> None:
    link = [{"other": {"reference": "Patient/old"}, "type": "replaces"}]
    made = only(scrubbed(collection(patient(link=link))), "Patient")

    old = values(only(scrubbed(collection(patient("old"))), "Patient"), "person")
    assert made["link"] == [
        {"other": {"type": "Patient", "identifier": {"system": "urn:snds-gateway:person", "value": old[0]}},
         "type": "replaces"}
    ]  # fmt: skip


def test_contained_structures_become_resources_of_their_own() -> None:
    drug = {
        "resourceType": "Medication",
        "id": "m",
        "code": {"coding": [{"system": "http://www.whocc.no/atc", "code": "B01AC06"}]},
    }
    request = {
        "resourceType": "MedicationRequest", "id": "r1", "meta": {"lastUpdated": "2024-03-01T08:00:00Z"},
        "status": "active", "intent": "order", "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": "#m"}, "contained": [drug, {"resourceType": "Practitioner", "id": "d"}],
    }  # fmt: skip

    result = scrubbed(collection(request))
    made, medication = only(result, "MedicationRequest"), only(result, "Medication")

    assert made["medicationReference"]["identifier"]["value"] == key(medication)
    assert medication["meta"] == {"lastUpdated": "2024-03-01T08:00:00Z"}
    assert medication["code"]["coding"][0]["code"] == "B01AC06"
    assert result.dropped["contained Practitioner"] == 1
    assert [bundle.indices for bundle in result.bundles] == [(0,)]


KNOWN: dict[str, object] = {
    "patient": "s6P4DLMo5TP2iASdpG1Kbw",
    "person": ["ngAnG6-uPxij1QmIUhyrTQ", "lmQ456LS0vnbOGQbGh-Naw", "g76mN2IIZXOuu9QTyK9y6A"],
    "ipp": ["er8lveF0XkgEv3-QU65-mQ"],
    "encounter": "KAUg4Yh6PtJzjGB2FnGpYw",
    "stay": ["J1KY08vVA_ZoJIzBonlqOA", "fCgDgi42scEnNdqSezm0Eg"],
    "observation": "Kcitm-w-iwGzYQ4yt3cYqQ",
    "organization": "vEBWrv3FwiWaYQEoU-6t4g",
    "facts": ["3bZq5-ufu345xe2cABJ0Cg", "LSylsMLG-6yDvaW6_bLsBA"],
    "event": ["person|ngAnG6-uPxij1QmIUhyrTQ", "structure|750712184"],
}


def test_known_answers_never_change() -> None:
    """A release that breaks this test breaks the continuity of every hospital: its persons and stays become others."""
    result = scrubbed(
        collection(
            patient(identifier=[ipp("1", "https://hopital.example/ipp"), ins()]),
            encounter(identifier=[visit("2")]),
            observation(None, identifier=[{"system": "https://lab.example", "value": "3"}]),
            {"resourceType": "Organization", "id": "ej"},
        )
    )

    person, stay, made = only(result, "Patient"), only(result, "Encounter"), only(result, "Observation")
    assert {
        "patient": key(person),
        "person": values(person, "person"),
        "ipp": values(person, "ipp"),
        "encounter": key(stay),
        "stay": values(stay, "stay"),
        "observation": key(made),
        "organization": key(only(result, "Organization")),
        "facts": sorted(key(one) for one in resources(result, "Basic")),
        "event": [bundle.key for bundle in result.bundles],
    } == KNOWN


def test_a_refused_entry_leaves_nothing_behind() -> None:
    tube = {"resourceType": "Specimen", "id": "s"}
    unknown = observation(subject={"display": "?"}, specimen={"reference": "#s"}, contained=[tube])
    of_test = observation("o2", specimen={"reference": "#s"}, contained=[tube])
    tester = patient(identifier=[ins(system=INS_TEST, code="INS-NIR-TEST")])

    result = scrubbed(batch({"resource": one} for one in (unknown, tester, of_test)))

    assert result.refused == {0: "no-stable-identity", 1: "test-identity", 2: "test-identity"}
    assert result.bundles == ()


def test_a_conditional_stay_and_a_conditional_delete_are_known_by_the_number_that_they_search() -> None:
    search = "https://hopital.example/nda|NDA-1"
    put = {"resource": encounter(None), "request": {"method": "PUT", "url": f"Encounter?identifier={search}"}}
    delete = {"request": {"method": "DELETE", "url": f"Encounter?identifier={search}"}}

    made, removed = scrubbed(batch([put])), scrubbed(batch([delete]))

    assert values(only(made, "Encounter"), "stay") == stays(resource_id=None, identifier=[visit()])
    assert [bundle.key for bundle in removed.bundles] == [f"resource|{key(only(made, 'Encounter'))}"]


def test_a_delete_without_any_identity_is_refused() -> None:
    entry = {"request": {"method": "DELETE", "url": "Encounter?status=finished"}}

    assert scrubbed(batch([entry])).refused == {0: "no-stable-identity"}


def test_a_parent_named_by_its_number_is_known_by_it() -> None:
    child = encounter("child", partOf={"identifier": visit("NDA-9")})
    root = encounter(None, identifier=[visit("NDA-9")])

    alone, together = scrubbed(collection(child)), scrubbed(collection(child, root))

    parents = [
        next(one for one in resources(result, "Encounter") if "partOf" in one)["partOf"] for result in (alone, together)
    ]
    assert parents[0] == parents[1]
    assert parents[0]["extension"][0]["valueString"] in {key(one) for one in resources(together, "Encounter")}


def test_a_parent_of_which_nothing_is_known_disappears() -> None:
    for part_of in (
        {"display": "séjour"},
        {"reference": "Group/1"},
        {"reference": urn(7)},
        {"identifier": {"value": ""}},
    ):
        assert "partOf" not in only(scrubbed(collection(encounter(partOf=part_of))), "Encounter")


def test_a_patient_that_joins_two_others_makes_one_person_of_three() -> None:
    result = scrubbed(
        collection(
            patient("p1", identifier=[ipp("1")]),
            patient("p2", identifier=[ipp("2")]),
            observation("o1", subject={"reference": "Patient/p1"}),
            observation("o2", subject={"reference": "Patient/p2"}),
            patient("p3", identifier=[ipp("1"), ipp("2")]),
        )
    )

    assert [bundle.indices for bundle in result.bundles] == [(0, 1, 2, 3, 4)]


def test_what_holds_identities_shows_none() -> None:
    result = scrubbed(collection(patient(identifier=[ins(), ipp()])))

    assert not [needle for needle in ("2850944", "IPP-1", "p1") if needle in f"{result!r} {result.bundles[0]!r}"]


def test_an_old_ins_brings_nobody_together_and_an_old_ipp_does() -> None:
    mistaken = aliases(identifier=[ins("285094415372645", use="old"), ins("260027501234582")])
    merged = aliases(identifier=[ipp("1") | {"use": "old"}, ipp("2")])

    assert len(mistaken) == 2
    assert not set(mistaken) & set(aliases(resource_id=None, identifier=[ins("285094415372645")]))
    assert set(aliases(resource_id=None, identifier=[ipp("1")])) <= set(merged)
