"""References to Organizations and Locations → FINESS, unit code, kind of establishment. Pure.

A reference is followed through `managingOrganization` and `partOf`; what cannot be followed says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fhir_profiles.french.identifiers import finess_of, kind_of
from transformers.contract import Contract
from transformers.snds.elements import RESOURCE, UNIT, Json, codings, identifiers, referred
from transformers.snds.view import Staged

HIGHEST = 12
FIELD = re.compile(r"/fr-core-organization-(champ-activite|activity-field)$")
FIELDS = {"MCO": "mco", "SMR": "ssr", "SSR": "ssr", "HAD": "had", "PSY": "psy", "EHPAD": "home", "LG_SJR": "sld",
          "MSN_RTRT": "home"}  # fmt: skip
CATEGORIES = {"101": "mco", "106": "mco", "355": "mco", "365": "mco", "128": "mco", "129": "mco", "131": "mco",
              "109": "ssr", "119": "ssr", "135": "ssr", "362": "sld", "292": "psy", "161": "psy", "412": "psy",
              "127": "had", "500": "home", "501": "home", "502": "home", "202": "home"}  # fmt: skip
CATEGORY_SYSTEM = "R66"


class Site(NamedTuple):
    """Where a reference leads: geographic FINESS, legal FINESS, the unit codes met on the way, the field.

    `owner` is the key of the structure that tells one unit from another: the organization of a place, else the place.
    """

    geographic: str | None = None
    legal: str | None = None
    units: tuple[str, ...] = ()
    field: str | None = None
    owner: str | None = None

    @property
    def known(self) -> bool:
        """Say whether a FINESS was found."""
        return self.geographic is not None or self.legal is not None


NOWHERE = Site()


class Structures:
    """The structures of a view, followed on demand; each reference is followed once."""

    def __init__(
        self, structures: Mapping[str, Staged], contract: Contract, legal_entities: Mapping[str, str] | None = None
    ) -> None:
        self._structures = structures
        # a public hospital registers as a legal entity, the others as a site
        self._legal = contract.finess if contract.legal_form == "public" else None
        self._legal_entities = legal_entities or {}
        self._sites: dict[str, Site] = {}

    def site(self, reference: Json | None) -> Site:
        """Return what is known of the place that a reference means."""
        key = referred(reference, RESOURCE)
        if key is None:
            return NOWHERE
        if key not in self._sites:
            self._sites[key] = self._follow(key)
        return self._sites[key]

    def holds(self, key: str | None, kind: str) -> bool:
        """Say whether a resource of another person, or of none, is known under a key."""
        found = self._structures.get(key) if key else None
        return found is not None and found.type == kind

    def _follow(self, key: str) -> Site:
        geographic = legal = field = None
        owner = None
        units: list[str] = []
        for found, resource in self._chain(key):
            if resource.get("resourceType") == "Organization":
                owner = owner or found
            units += identifiers(resource, UNIT)
            for identifier in resource.get("identifier", ()):
                finess = finess_of(identifier) if identifier.get("system") != RESOURCE else None
                if finess is None:
                    continue
                if self._is_legal(identifier, finess):
                    legal = legal or finess
                else:
                    geographic = geographic or finess
            field = field or _field(resource)
        legal = legal or self._legal_entities.get(geographic or "")
        return Site(geographic, legal, tuple(dict.fromkeys(units)), field, owner or key)

    def _is_legal(self, identifier: Json, finess: str) -> bool:
        kind = kind_of(identifier)
        return kind == "FINEJ" or (kind != "FINEG" and finess == self._legal)

    def _chain(self, start: str) -> Iterator[tuple[str, Json]]:
        """Yield the structure and those above it: a Location's own line first, then its organization's."""
        todo: list[str | None] = [start]
        seen: set[str] = set()
        while todo and len(seen) < HIGHEST:
            key = todo.pop(0)
            if key is None or key in seen or key not in self._structures:
                continue
            seen.add(key)
            resource = self._structures[key].resource
            yield key, resource
            todo = [
                referred(resource.get("managingOrganization"), RESOURCE),
                *todo,
                referred(resource.get("partOf"), RESOURCE),
            ]


def _field(resource: Json) -> str | None:
    """Return mco, ssr, sld, psy, had or home (medico-social) when the organization says its field or category."""
    fields = {
        FIELDS.get(one.get("valueCoding", {}).get("code", ""))
        for one in resource.get("extension", ())
        if FIELD.search(one.get("url", ""))
    }
    if fields:
        # an establishment of several fields says nothing of one stay
        return fields.pop() if len(fields) == 1 else None
    for system, code in codings(resource.get("type")):
        if CATEGORY_SYSTEM in system and code in CATEGORIES:
            return CATEGORIES[code]
    return None
