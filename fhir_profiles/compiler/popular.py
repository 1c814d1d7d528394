"""Which keys generated code asks for one by one: those that French hospital data uses most. Speed alone, no rule."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

INLINE = 24
REPEATED = frozenset({"Observation.referenceRange"})  # the same content comes again and again

# By type path; any other type asks for the keys of the common list.
_BY_PATH: Mapping[str, str] = MappingProxyType(
    {
        "Annotation": "text time authorString authorReference",
        "Address": "use type line city postalCode country extension",
        "CodeableConcept": "coding text",
        "Coding": "system code display",
        "ContactPoint": "system value use rank",
        "Dosage": "text timing route doseAndRate",
        "Dosage.doseAndRate": "doseQuantity",
        "Extension": "url valueCoding valueString valueCode valueCodeableConcept valueBoolean valueAddress extension",
        "HumanName": "use family given prefix text extension",
        "Identifier": "system value type use",
        "Meta": "profile lastUpdated versionId source security tag",
        "Narrative": "status div",
        "Observation": "id meta text identifier status category code subject encounter effectiveDateTime issued"
        " performer valueQuantity valueCodeableConcept interpretation referenceRange note component"
        " specimen method device",
        "Observation.component": "code valueQuantity",
        "Observation.referenceRange": "low high type text",
        "Period": "start end",
        "Quantity": "value unit system code",
        "Reference": "reference type display identifier",
        "Timing": "repeat code",
        "Bundle.entry": "resource request fullUrl",
        "Bundle.entry.request": "method url",
    }
)
_COMMON = (
    "id meta text identifier status code subject encounter category active name telecom gender birthDate"
    " address contact effectiveDateTime issued performer valueQuantity valueCodeableConcept valueString"
    " interpretation referenceRange component class type period participant hospitalization serviceProvider"
    " partOf location diagnosis condition clinicalStatus verificationStatus recordedDate onsetDateTime recorder"
    " performedDateTime performedPeriod intent authoredOn requester medicationCodeableConcept"
    " medicationReference dosage dosageInstruction context use rank managingOrganization mode dose route"
    " effectivePeriod request severity asserter maritalStatus generalPractitioner deceasedBoolean"
    " rateQuantity relationship individual function actor qualification extension note entry timestamp sequence"
    " provider created patient use priority billablePeriod insurance coverage item supportingInfo procedure"
    " payor beneficiary subscriberId practitioner organization specialty"
)


_RANK = {name: index for index, name in enumerate(dict.fromkeys(_COMMON.split()))}


def popular_keys(path: str) -> tuple[str, ...]:
    """Return the keys to ask for in an object of a type path, those that the type has not included."""
    listed = _BY_PATH.get(path)
    if listed is not None:
        return tuple(listed.split())
    common = tuple(dict.fromkeys(_COMMON.split()))
    return common if "." not in path else tuple(one for one in common if one not in ("id", "extension"))


def rank(key: str) -> int:
    """Return the position of a key in the common list; unknown ones come last."""
    return _RANK.get(key, len(_RANK))
