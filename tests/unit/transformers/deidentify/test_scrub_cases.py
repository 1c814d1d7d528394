"""Scrubbing of whole bundles: the cases of a real hospital's guide, synthetic stays, split by person (P13, P14)."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.synthetic.bundles import workload
from tests.support import aphp
from tests.support.scrubbed import (
    CONTRACT,
    TEST_CONTRACT,
    collection,
    contents,
    encounter,
    extension,
    fact,
    flags,
    ipp,
    key,
    observation,
    only,
    patient,
    scrubbed,
    urn,
    values,
    visit,
)


@pytest.mark.shared
def test_five_real_cases_chain_as_five_persons(shared: Path) -> None:
    persons = [
        fact(scrubbed(aphp.batch(aphp.resources(shared, case)), contract=CONTRACT), "person") for case in aphp.CASES
    ]

    assert len({values(one, "psa")[0] for one in persons if one}) == 5
    assert len({values(one, "ano")[0] for one in persons if one}) == 5
    assert [extension(one, "nir-ret") for one in persons if one] == ["0"] * 5
    assert all(flags(one) == {"nir-key"} for one in persons if one)


@pytest.mark.shared
def test_no_identity_of_the_real_cases_is_in_what_leaves(shared: Path) -> None:
    needles = sorted(aphp.identifying(shared))

    bodies = b"".join(
        bundle.body
        for case in aphp.CASES
        for bundle in scrubbed(aphp.batch(aphp.resources(shared, case)), contract=CONTRACT).bundles
    )

    assert len(needles) > 100
    assert [needle for needle in needles if needle.encode() in bodies] == []


@pytest.mark.shared
def test_each_real_case_is_one_event_of_one_person(shared: Path) -> None:
    for case in aphp.CASES:
        resources = aphp.resources(shared, case)
        result = scrubbed(aphp.batch(resources), contract=CONTRACT)

        assert [len(bundle.indices) for bundle in result.bundles] == [len(resources)]
        assert result.bundles[0].key.startswith("person|")
        assert not result.refused


def test_a_synthetic_stay_leaves_whole_but_its_professionals() -> None:
    [posted] = workload(1, 1)

    result = scrubbed(orjson.loads(posted), contract=TEST_CONTRACT)

    assert not result.refused
    assert result.dropped["Practitioner"] == 1
    assert len(result.bundles[0].indices) == len(orjson.loads(posted)["entry"]) - 1


def test_the_same_resource_has_one_key_by_put_url_by_full_url_and_by_id() -> None:
    one = observation("o1")
    put = {"resource": one, "request": {"method": "PUT", "url": "Observation/o1"}}
    transaction = {"resourceType": "Bundle", "type": "transaction"}
    posts = {"resource": observation(None), "request": {"method": "POST", "url": "Observation"}}
    posted = [
        collection(one),
        transaction | {"entry": [put]},
        transaction | {"entry": [posts | {"fullUrl": "https://other.example/base/Observation/o1"}]},
        one,
    ]

    keys = [key(only(scrubbed(each), "Observation")) for each in posted]
    keys.append(key(only(scrubbed(one, method="PUT", resource_id="o1", expected_type="Observation"), "Observation")))

    assert len(set(keys)) == 1


def test_resources_that_name_one_person_differently_travel_together() -> None:
    result = scrubbed(
        collection(
            patient("p1", identifier=[ipp()]),
            observation("o1", subject={"identifier": ipp()}),
            observation("o2", subject={"reference": "Patient/p1"}),
            encounter(
                None, identifier=[visit()], subject={"reference": "Patient?identifier=" + ipp()["system"] + "|IPP-1"}
            ),
            observation("o3", subject={"display": "inconnu"}, encounter={"reference": urn(3)}),
        )
    )

    assert [bundle.indices for bundle in result.bundles] == [(0, 1, 2, 3, 4)]


def test_persons_travel_apart_and_each_takes_the_structures_that_it_refers_to() -> None:
    hospital = {"resourceType": "Organization", "id": "ej"}
    unit = {"resourceType": "Organization", "id": "uf", "partOf": {"reference": "Organization/ej"}}
    lonely = {"resourceType": "Organization", "id": "lonely"}

    result = scrubbed(
        collection(
            patient("p1"),
            patient("p2"),
            encounter("e1", serviceProvider={"reference": "Organization/uf"}),
            observation("o2", subject={"reference": "Patient/p2"}),
            hospital,
            unit,
            lonely,
        )
    )

    assert [(bundle.key.partition("|")[0], bundle.indices) for bundle in result.bundles] == [
        ("person", (0, 2, 4, 5)),
        ("person", (1, 3)),
        ("structure", (6,)),
    ]


def test_everything_that_leaves_is_a_collection_of_sorted_bytes() -> None:
    result = scrubbed(collection(patient(), encounter(), timestamp="2024-03-06T10:00:00.123+01:00"))

    for bundle in result.bundles:
        read = orjson.loads(bundle.body)
        assert (read["resourceType"], read["type"], read["timestamp"]) == (
            "Bundle", "collection", "2024-03-06T10:00:00.123+01:00",
        )  # fmt: skip
        assert orjson.dumps(read, option=orjson.OPT_SORT_KEYS) == bundle.body
        assert all(set(entry) == {"resource"} for entry in read["entry"])
    assert all("id" not in one for one in contents(result))
