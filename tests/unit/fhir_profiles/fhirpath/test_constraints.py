"""Constraints as generated code: what is reported where, never an exception, never a string of a package in source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_profiles.compiler.constraints import emit_constraints
from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.engine import _RUNTIME
from fhir_profiles.compiler.findings import Finding, Findings
from fhir_profiles.compiler.writer import Writer
from fhir_profiles.fhirpath.errors import Untranslatable
from fhir_profiles.fhirpath.translate import translate
from fhir_profiles.model import Constraint, Element, Structure, TypeRef
from fhir_profiles.validator import load_validator
from tests.support.fhirpath_rules import library, rules

PATIENT = {"resourceType": "Patient", "gender": "female", "name": [{"family": "Dupont"}]}
Check = Callable[..., "Findings | None"]
WORDS = """
resourceType contained id meta code coding system value valueQuantity start end reference extension url identifier
use component entry fullUrl request type text
"""
NAMES = st.sampled_from(WORDS.split())
TEXTS = st.sampled_from(["Patient", "Bundle", "#a", "a", "2024-01", "2024-01-10T00:00:00Z", "official", "http://x", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=False) | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=6),
    max_leaves=20,
)
EVERY_RULE = [rule for focus in sorted(rules()) for rule in rules()[focus]]


def compiled(expression: str, *, severity: str = "error", best_practice: bool = False) -> Check:
    """Compile one constraint on Patient as a type's function has it: `check(n, x, e)`."""
    constraint = Constraint("test-1", severity, expression, best_practice)
    owner = Element("Patient", "Patient", 0, 1, constraints=(constraint,))
    structure = library().type("Patient")
    writer = Writer()
    with writer.function("check(n, x, e)"):
        emit_constraints(writer, owner, structure, node="n")
        writer("return e")
    assert writer.not_checked == []
    namespace: dict[str, Any] = {**_RUNTIME, **writer.constants}
    exec(compile(writer.source(), "<test>", "exec"), namespace)
    return namespace["check"]


def context(resource: dict[str, Any], **more: Any) -> CheckContext:
    return CheckContext(resource, resource, **more)


def test_a_kept_rule_reports_nothing() -> None:
    assert compiled("name.exists()")(PATIENT, context(PATIENT), None) is None


def test_a_broken_rule_names_its_key_and_severity() -> None:
    [found] = compiled("birthDate.exists()", severity="warning")(PATIENT, context(PATIENT), None) or []

    assert (found.code, found.rule, found.severity, found.path) == ("invariant", "test-1", "warning", "")


def test_a_rule_without_answer_is_broken() -> None:
    """As in HL7's validator: `{}` is not true."""
    assert compiled("birthDate > @2000")(PATIENT, context(PATIENT), None) is not None


def test_a_rule_that_meets_several_items_where_one_is_needed_is_broken() -> None:
    twice = {**PATIENT, "name": [{"family": "A"}, {"family": "B"}]}

    assert compiled("name.family.single() = 'A'")(twice, context(twice), None) is not None


def test_advice_is_information() -> None:
    [found] = (
        compiled("birthDate.exists()", severity="warning", best_practice=True)(PATIENT, context(PATIENT), None) or []
    )

    assert found.severity == "information"


def test_a_rule_that_cannot_be_told_is_said_once_a_request() -> None:
    check = compiled("gender.memberOf('http://example.org/ValueSet/none')")
    x = context(PATIENT)

    first, second = check(PATIENT, x, None), check(PATIENT, x, None)

    assert [(one.code, one.severity) for one in first or []] == [("constraint-not-checked", "information")]
    assert second is None


@pytest.mark.parametrize(("answer", "broken"), [(True, False), (False, True)])
def test_member_of_asks_the_terminology(answer: bool, broken: bool) -> None:
    asked = []

    def member_of(code: Any, value_set: str) -> bool:
        asked.append((code, value_set))
        return answer

    check = compiled("gender.memberOf('http://example.org/ValueSet/any')")

    assert (check(PATIENT, context(PATIENT, member_of=member_of), None) is not None) is broken
    assert asked == [("female", "http://example.org/ValueSet/any")]


def test_a_malformed_element_is_not_judged_by_its_rules() -> None:
    """No cascade: what is wrong with its shape was reported already."""
    unsound = [Finding("unknown-element", params={"parent": "Patient"})]
    wrong_code = [Finding("code-not-in-value-set", ".gender", {"value_set": "x"})]
    check = compiled("birthDate.exists()")

    assert len(check(PATIENT, context(PATIENT), unsound) or []) == 1
    assert len(check(PATIENT, context(PATIENT), wrong_code) or []) == 2


def test_a_rule_that_meets_malformed_content_says_that_it_was_not_evaluated() -> None:
    """Another check reports what is malformed; nothing is passed over in silence."""
    odd = {**PATIENT, "contact": 5}
    check = compiled("contact.all(name.exists())")
    reported = [Finding("format-date", ".birthDate")]

    assert [one.code for one in check(odd, context(odd), None) or []] == ["constraint-not-checked"]
    assert check(odd, context(odd), reported) == reported


@settings(max_examples=300, deadline=None)
@given(value=JSON, resource=st.dictionaries(NAMES, JSON, max_size=6), choice=st.integers(0, len(EVERY_RULE) - 1))
def test_no_json_makes_a_rule_raise(value: Any, resource: dict[str, Any], choice: int) -> None:
    for rule in EVERY_RULE[choice : choice + 25]:
        element = {**resource, "extension": value} if isinstance(value, (str, int, float, type(None), bool)) else value
        assert rule.check(element if isinstance(element, dict) else resource, context(resource)) in (True, False)


@pytest.mark.parametrize(
    "expression",
    [
        "name = '\"); import os; os.abort() #'",
        "name.where(family = 'a\\'b\\n').exists()",
        'extension(\'http://x" + __import__("os").name\').exists()',
        "gender in ('a\\u0022' | 'b')",
        'name.matches(\'\\\\d"""\')',
        '%`vs-"""`.exists()',
        "value is `os.system`",
    ],
)
def test_no_string_of_an_expression_stands_in_source(expression: str) -> None:
    constants: list[Any] = []

    def constant(value: Any) -> str:
        constants.append(value)
        return f"c{len(constants)}"

    source = translate(expression, focus="Patient", constant=constant)

    assert not {"import", "os", "\\", "'"} & set(source.replace("(", " ").replace('"', " ").split())
    assert "os.abort" not in source
    assert "__import__" not in source
    assert any(isinstance(one, str) for one in constants)


@pytest.mark.parametrize("name", ['`a"b`', "`x y`", "`" + "a" * 97 + "`", "`é`"])
def test_a_name_that_is_no_fhir_name_is_refused(name: str) -> None:
    with pytest.raises(Untranslatable):
        translate(f"{name}.exists()", focus="Patient", constant=lambda _value: "c")


def test_an_expression_nested_without_measure_is_refused_not_crashed() -> None:
    for text in ("(" * 5000 + "1" + ")" * 5000, "-" * 10_000 + "1", "1" + "+1" * 9000, "name" + ".name" * 300):
        with pytest.raises(Untranslatable):
            translate(text, focus="Patient", constant=lambda _value: "c")


def test_a_rule_too_deep_for_the_compiler_is_listed_as_not_checked() -> None:
    constraint = Constraint("deep-1", "error", " and ".join(["name.exists()"] * 400))
    writer = Writer()
    with writer.function("check(n, x, e)"):
        emit_constraints(
            writer, Element("Patient", "Patient", 0, 1, constraints=(constraint,)), library().type("Patient"), node="n"
        )

    assert writer.not_checked == [("deep-1", "an expression nested too deep")]
    compile(writer.source(), "<test>", "exec")


def test_the_rule_of_an_element_is_found_at_the_element() -> None:
    """org-2 stands on Organization.address and concerns each address."""
    organization = {
        "resourceType": "Organization",
        "name": "A",
        "address": [{"use": "work", "city": "Lyon"}, {"use": "home", "city": "Lyon"}],
    }

    issues = load_validator().validate_resource(organization, french_profiles="declared")

    assert [(one.rule, one.expression) for one in issues] == [("org-2", "Organization.address[1]")]


def test_the_type_of_a_choice_decides_what_its_rule_sees() -> None:
    """vs-1 wants a day of a dateTime, and has nothing to say of a Period (it is corrected)."""
    structure = library().structure("http://hl7.org/fhir/StructureDefinition/vitalsigns")
    assert isinstance(structure, Structure)
    owner = next(one for one in structure.elements if one.path == "Observation.effective[x]")

    def broken(value: Any, code: str) -> bool:
        writer = Writer()
        with writer.function("check(n, x)"):
            writer("e = None")
            emit_constraints(writer, owner, structure, node="n", raise_up="r", type_code=code)
            writer("return e is not None")
        namespace: dict[str, Any] = {**_RUNTIME, **writer.constants}
        exec(compile(writer.source(), "<test>", "exec"), namespace)
        return bool(namespace["check"](value, context(PATIENT)))

    assert TypeRef("Period") in owner.types
    assert (broken("2024", "dateTime"), broken("2024-01-10", "dateTime")) == (True, False)
    assert broken({"start": "2024"}, "Period") is False
