"""Rules of conformance resources that FHIR states in words and no profile can hold: by resource type → issues.

Other resources cost one dictionary lookup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from fhir_profiles.discriminators import discriminator_issues
from fhir_profiles.issues import Issue
from fhir_profiles.search_parameters import search_parameter_issues

Rule = Callable[[Mapping[str, Any], str], Iterator[Issue]]
RULES: Mapping[str, Rule] = MappingProxyType(
    {"SearchParameter": search_parameter_issues, "StructureDefinition": discriminator_issues}
)


def conformance_issues(resource_type: str, resource: Mapping[str, Any], path: str) -> list[Issue]:
    """Return what these rules find in a resource."""
    rule = RULES.get(resource_type)
    return [] if rule is None else list(rule(resource, path))
