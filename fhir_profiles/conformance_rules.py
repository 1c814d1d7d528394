"""Rules of conformance resources that FHIR states in words and no profile can hold: by resource type → issues.

Other resources cost one dictionary lookup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from fhir_profiles.capability_rules import capability_issues, is_short_format
from fhir_profiles.discriminators import discriminator_issues
from fhir_profiles.issues import Issue
from fhir_profiles.search_parameters import search_parameter_issues

Rule = Callable[[Mapping[str, Any], str], Iterator[Issue]]
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "CapabilityStatement": capability_issues,
        "SearchParameter": search_parameter_issues,
        "StructureDefinition": discriminator_issues,
    }
)


def conformance_issues(
    resource_type: str, resource: Mapping[str, Any], path: str, found: list[Issue] | None = None
) -> list[Issue]:
    """Return the issues `found` of a resource, without those that FHIR's words lift, and with those of these rules."""
    rule = RULES.get(resource_type)
    kept = found or []
    if rule is None:
        return kept
    if resource_type == "CapabilityStatement":
        kept = [one for one in kept if not is_short_format(one, resource, path)]
    return [*kept, *rule(resource, path)]
