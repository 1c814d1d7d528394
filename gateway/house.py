"""Settings → everything that workers share: contracts, keys, rules, compiled profiles, the CapabilityStatement.

Loaded once, in the supervisor, before it forks: a worker that starts again needs no file that went away meanwhile.
What is missing or wrong is `Misconfigured`: nothing starts (P23).
"""

from __future__ import annotations

from dataclasses import dataclass

from fhir_profiles.limits import Limits
from fhir_profiles.resource_types import RESOURCE_TYPES
from fhir_profiles.validator import Validator, load_validator
from gateway.access import KEYS, Access
from gateway.capability import capability_statement
from gateway.definitions import added_definitions
from gateway.quota import Quota, quota_of
from gateway.settings import Settings
from transformers.deidentify.keys import LEDGER, read_key
from transformers.deidentify.pseudonyms import Key
from transformers.deidentify.rules import Rules, load_rules

CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What every request is measured by; the same for all hospitals."""

    limits: Limits
    validator: Validator
    rules: Rules


@dataclass(frozen=True, slots=True, repr=False)
class House:
    """What the supervisor loaded and checked before any worker began."""

    settings: Settings
    access: Access
    ledger: Key
    yardstick: Yardstick
    capability: bytes
    quota: Quota | None


def load(settings: Settings) -> House:
    """Load and check everything. Raises Misconfigured."""
    access = Access(settings.data_dir)
    ledger = read_key(settings.data_dir / KEYS / LEDGER)
    rules = load_rules()
    validator = load_validator(
        added_definitions(settings.data_dir),
        cache_dir=settings.data_dir / CACHE,
        nomenclatures=settings.nomenclatures,
        french_rules=settings.french_rules == "warning",
    )
    warm(validator)
    taken = {*rules.types, *rules.book.dropped_types, *rules.book.containers}
    capability = capability_statement(validator, taken)
    quota = quota_of(settings.quota_requests_per_s, settings.quota_burst)
    return House(settings, access, ledger, Yardstick(settings.limits, validator, rules), capability, quota)


def warm(validator: Validator) -> None:
    """Let the usual profiles be compiled or read now, so that no request waits and workers share their pages."""
    for kind in WARMED:
        validator.validate_resource({"resourceType": kind})


WARMED = (
    "Patient", "Encounter", "Condition", "Procedure", "Observation", "MedicationRequest", "MedicationAdministration",
    "MedicationDispense", "Medication", "Organization", "Location", "Practitioner", "PractitionerRole", "Claim",
    "Coverage", "DiagnosticReport", "Specimen", "ServiceRequest",
)  # fmt: skip
assert set(WARMED) <= RESOURCE_TYPES
