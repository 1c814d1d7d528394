"""A profile as a tree: what stands between two elements is there, slices are beneath what they slice."""

from __future__ import annotations

from gateway.workbench.profile_tree import tree_of


def test_slices_and_their_elements_stand_beneath_what_they_slice() -> None:
    lines = [
        ("Patient", "0..*", "", "fr-core-2 (error) one official"),
        ("Patient.identifier:INS-NIR.system", "1..1", "uri", "fixed urn:oid:1.2.250.1.213.1.4.8"),
        ("Patient.identifier", "1..*", "Identifier"),
    ]

    [root] = tree_of(lines)

    [identifier] = root["children"]
    [ins] = identifier["children"]
    [system] = ins["children"]
    assert (identifier["id"], identifier["card"]) == ("Patient.identifier", "1..*")
    assert (ins["name"], ins["card"]) == (":INS-NIR", "")
    assert (system["name"], system["more"]) == ("system", ["fixed urn:oid:1.2.250.1.213.1.4.8"])
    assert root["more"] == ["fr-core-2 (error) one official"]
