"""FHIRPath function names → the runtime functions that do them, and how their arguments are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Function:
    """A runtime function: `kind` says what its arguments are.

    values: collections, evaluated where the call stands · surroundings: the same, and the context after them ·
    lambdas: evaluated for each item · type: a type name · alone: nothing, and no input.
    """

    python: str
    kind: str = "values"
    least: int = 0
    most: int = 0


def _table() -> dict[str, Function]:
    found: dict[str, Function] = {}
    for name, python in _NO_ARGUMENT.items():
        found[name] = Function(python)
    for name, python in _ONE_ARGUMENT.items():
        found[name] = Function(python, "values", 1, 1)
    return found | dict(_OTHER)


_NO_ARGUMENT = {
    "empty": "empty",
    "not": "negate",
    "allTrue": "all_true",
    "anyTrue": "any_true",
    "allFalse": "all_false",
    "anyFalse": "any_false",
    "count": "count",
    "distinct": "distinct_items",
    "isDistinct": "is_distinct",
    "single": "only",
    "first": "first",
    "last": "last",
    "tail": "tail",
    "children": "children",
    "descendants": "descendants",
    "toBoolean": "to_boolean",
    "convertsToBoolean": "converts_to_boolean",
    "toInteger": "to_integer",
    "convertsToInteger": "converts_to_integer",
    "toDecimal": "to_decimal",
    "convertsToDecimal": "converts_to_decimal",
    "toString": "to_string",
    "convertsToString": "converts_to_string",
    "toDate": "to_date",
    "convertsToDate": "converts_to_date",
    "toDateTime": "to_date_time",
    "convertsToDateTime": "converts_to_date_time",
    "toTime": "to_time",
    "convertsToTime": "converts_to_time",
    "toQuantity": "to_quantity",
    "convertsToQuantity": "converts_to_quantity",
    "length": "length",
    "upper": "upper",
    "lower": "lower",
    "trim": "trim",
    "toChars": "to_chars",
    "abs": "absolute",
    "ceiling": "ceiling",
    "floor": "floor",
    "truncate": "truncate",
    "exp": "exp",
    "ln": "ln",
    "sqrt": "sqrt",
    "sum": "total",
    "precision": "precision",
    "hasValue": "with_value",
    "getValue": "get_value",
    "type": "type_of",
    "htmlChecks": "html_checks",
}
_ONE_ARGUMENT = {
    "subsetOf": "subset_of",
    "supersetOf": "superset_of",
    "skip": "skip",
    "take": "take",
    "intersect": "intersect",
    "exclude": "exclude",
    "union": "union",
    "combine": "combine",
    "indexOf": "index_of",
    "lastIndexOf": "last_index_of",
    "startsWith": "starts_with",
    "endsWith": "ends_with",
    "contains": "contains",
    "matches": "matches",
    "matchesFull": "matches_full",
    "split": "split",
    "encode": "encode",
    "decode": "decode",
    "escape": "escape",
    "unescape": "unescape",
    "log": "log",
    "power": "power",
    "extension": "extension",
    "comparable": "comparable_quantities",
}
_OTHER = {
    "exists": Function("exists", "lambdas", 0, 1),
    "all": Function("all_items", "lambdas", 1, 1),
    "where": Function("where", "lambdas", 1, 1),
    "select": Function("select", "lambdas", 1, 1),
    "repeat": Function("repeat", "lambdas", 1, 1),
    "aggregate": Function("aggregate", "aggregate", 1, 2),
    "sort": Function("sort", "sort", 0, 16),
    "iif": Function("iif", "iif", 2, 3),
    "trace": Function("trace", "trace", 1, 2),
    "is": Function("is_type", "type", 1, 1),
    "as": Function("of_type", "type", 1, 1),
    "ofType": Function("of_type", "type", 1, 1),
    "replace": Function("replace", "values", 2, 2),
    "replaceMatches": Function("replace_matches", "values", 2, 2),
    "substring": Function("substring", "values", 1, 2),
    "join": Function("join", "values", 0, 1),
    "round": Function("rounded", "values", 0, 1),
    "lowBoundary": Function("low_boundary", "values", 0, 1),
    "highBoundary": Function("high_boundary", "values", 0, 1),
    "resolve": Function("resolve", "surroundings"),
    "memberOf": Function("member_of", "surroundings", 1, 1),
    "conformsTo": Function("conforms_to", "surroundings", 1, 1),
    "today": Function("today", "alone"),
    "now": Function("right_now", "alone"),
    "timeOfDay": Function("time_of_day", "alone"),
}

FUNCTIONS: Mapping[str, Function] = MappingProxyType(_table())
OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        "+": "plus",
        "-": "minus",
        "*": "times",
        "/": "divided_by",
        "div": "div",
        "mod": "mod",
        "&": "concatenate",
        "|": "union",
        "in": "member_of_collection",
        "contains": "contains_item",
        "xor": "one_of_two",
        "=": "equals",
        "!=": "differs",
        "~": "is_equivalent",
        "!~": "is_not_equivalent",
        "<": "less",
        "<=": "at_most",
        ">": "greater",
        ">=": "at_least",
    }
)
LAZY_OPERATORS: Mapping[str, str] = MappingProxyType({"and": "both", "or": "either", "implies": "implies"})
URLS: Mapping[str, str] = MappingProxyType(
    {"ucum": "http://unitsofmeasure.org", "sct": "http://snomed.info/sct", "loinc": "http://loinc.org"}
)
URL_PREFIXES = (
    ("vs-", "http://hl7.org/fhir/ValueSet/"),
    ("ext-", "http://hl7.org/fhir/StructureDefinition/"),
    ("cs-", "http://hl7.org/fhir/CodeSystem/"),
)
