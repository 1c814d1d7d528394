"""Invariants that were published wrong, and those that other checks already make: data, by expression, with reasons.

An expression is looked up as published; the same table serves R4 and every guide that repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_CONTAINED = "reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids')"
_REFERENCE = f"reference.startsWith('#').not() or ({_CONTAINED})"
_NAME_OF_DEFINITION = "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')"
_PROBLEM_LIST = (
    "clinicalStatus.exists() or verificationStatus.coding.where("
    "system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() or "
)
_ELEMENT_PART = "[^\\\\s\\\\.,:;\\\\\\'\"\\\\/|?!@#$%&*()\\\\[\\\\]{}]{1,64}"
_ELEMENT_PATH = f"{_ELEMENT_PART}(\\\\.{_ELEMENT_PART}(\\\\[x\\\\])?(\\\\:[^\\\\s\\\\.]+)?)*"
_TYPED_PATH = "[A-Za-z][A-Za-z0-9]*(\\\\.[a-z][A-Za-z0-9]*(\\\\[x])?)*"

# As published → as meant, and why. HL7's own validator corrects the first six as well.
CORRECTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        _REFERENCE: (
            f"reference.exists() implies (reference = '#' or {_REFERENCE})",
            "ref-1 would refuse every reference that has an identifier alone",
        ),
        "probability is decimal implies (probability as decimal) <= 100": (
            "probability.ofType(decimal).exists() implies probability.ofType(decimal) <= 100",
            "ras-2 would refuse a prediction without probability",
        ),
        "enableWhen.count() > 2 implies enableBehavior.exists()": (
            "enableWhen.count() >= 2 implies enableBehavior.exists()",
            "que-12 says: if there are more than one enableWhen",
        ),
        _NAME_OF_DEFINITION: (
            "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')",
            "matches() looks for a part; the whole name is meant, and only where there is one",
        ),
        f"path.matches('{_ELEMENT_PATH}')": (
            f"path.matches('^{_ELEMENT_PATH}$')",
            "eld-19: the whole path is meant",
        ),
        f"path.matches('{_TYPED_PATH}')": (
            f"path.matches('^{_TYPED_PATH}$')",
            "eld-20: the whole path is meant",
        ),
        "operator = 'exists' implies (answer is Boolean)": (
            "operator = 'exists' implies (answer is boolean)",
            "que-7: the answer is a FHIR boolean, never a System.Boolean",
        ),
        "($this as dateTime).toString().length() >= 8": (
            "$this is dateTime implies $this.toString().length() >= 8",
            "vs-1 says: if effective[x] is a dateTime; a Period is allowed",
        ),
        "type!='display' and (repeats=true or %extension.valueInteger=1)": (
            "type!='display' and (repeats=true or %extension.value=1)",
            "context rule of questionnaire-maxOccurs: the element is called value",
        ),
        "type!='display' and (required=true or %extension.valueInteger=0)": (
            "type!='display' and (required=true or %extension.value=0)",
            "context rule of questionnaire-minOccurs: the element is called value",
        ),
        f"{_PROBLEM_LIST}category.select($this='problem-list-item').empty()": (
            f"{_PROBLEM_LIST}category.coding.where(code = 'problem-list-item').empty()",
            "con-3 compares a CodeableConcept with a string",
        ),
    }
)

# Not written down, because another check says the same or because saying it would do harm.
SKIPPED: Mapping[str, str] = MappingProxyType(
    {
        "htmlChecks()": "txt-1, txt-2: the check of the primitive xhtml makes them",
        "substanceExposureRisk.exists() and code.empty()": "inv-1 names elements that its extension has not",
        "text.`div`.exists()": "dom-6 advises to send a narrative: it is identifying, and nothing here ever reads it",
    }
)

# Kept by every element whose type has been checked: its own type's function evaluates it on the same JSON.
OF_THE_TYPE = frozenset({"hasValue() or (children().count() > id.count())"})


def corrected(expression: str) -> str:
    """Return the expression as it is meant."""
    return CORRECTIONS[expression][0] if expression in CORRECTIONS else expression
