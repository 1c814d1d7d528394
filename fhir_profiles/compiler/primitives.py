"""One linear check a FHIR primitive type (FHIR R4 datatypes §2.24.0.1): JSON value → is it well formed?

Hand-written: no regular expression, so no input can be slow (DESIGN §12). Never raises, never keeps a value.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from fhir_profiles.compiler.xhtml import xhtml_fault

DIGITS = frozenset("0123456789")
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
ID_MAXIMUM = 64
INTEGER_MINIMUM, INTEGER_MAXIMUM = -(2**31), 2**31 - 1
TIMES_OF_DAY = {size: frozenset(f"{value:02d}" for value in range(size)) for size in (14, 24, 60, 61)}
OFFSETS = frozenset(("+:", "-:"))
WITH_OFFSET = frozenset(("--T::+:", "--T::-:"))
_read = datetime.fromisoformat


def boolean_ok(value: object) -> bool:
    """JSON true or false."""
    return value is True or value is False


def integer_ok(value: object) -> bool:
    """A JSON integer of 32 bits."""
    return type(value) is int and INTEGER_MINIMUM <= value <= INTEGER_MAXIMUM


def positive_ok(value: object) -> bool:
    """From 1 up."""
    return type(value) is int and 1 <= value <= INTEGER_MAXIMUM


def unsigned_ok(value: object) -> bool:
    """From 0 up."""
    return type(value) is int and 0 <= value <= INTEGER_MAXIMUM


def decimal_ok(value: object) -> bool:
    """A finite JSON number."""
    return type(value) is int or (type(value) is float and value - value == 0)


def text_ok(value: object) -> bool:
    """A string of one character at least, without control characters other than tab and line ends."""
    if type(value) is not str or not value:
        return False
    if value.isprintable():
        return True
    return not any(character < " " and character not in "\t\r\n" for character in value)


def code_ok(value: object) -> bool:
    """No white space at either end, single blanks inside."""
    if type(value) is not str or not value:
        return False
    if value.isascii() and " " not in value and value.isprintable():
        return True
    parts = value.split(" ")
    return all(part and not any(character.isspace() or character < " " for character in part) for part in parts)


def id_ok(value: object) -> bool:
    """1 to 64 of A-Z a-z 0-9 - and dot."""
    if type(value) is not str or not 0 < len(value) <= ID_MAXIMUM or not value.isascii():
        return False
    return value.isalnum() or value.replace("-", "a").replace(".", "a").isalnum()


def uri_ok(value: object) -> bool:
    """No white space; an urn:oid: or urn:uuid: holds a well-formed OID or UUID."""
    if type(value) is not str or not value:
        return False
    if not (value.isascii() and " " not in value and value.isprintable()) and any(
        character.isspace() or character < " " for character in value
    ):
        return False
    if value.startswith("urn:"):
        if value.startswith("urn:uuid:"):
            return uuid_ok(value)
        if value.startswith("urn:oid:"):
            return oid_ok(value)
    return True


def oid_ok(value: object) -> bool:
    """An `urn:oid:` of dotted numbers without leading zeros."""
    if type(value) is not str or not value.startswith("urn:oid:") or not value.isascii():
        return False
    arcs = value[8:].split(".")
    if len(arcs) < 2 or arcs[0] not in ("0", "1", "2"):
        return False
    return all(arc.isdigit() and (arc == "0" or arc[0] != "0") for arc in arcs)


def uuid_ok(value: object) -> bool:
    """An `urn:uuid:` of 8-4-4-4-12 hexadecimal digits."""
    if type(value) is not str or len(value) != 45 or not value.startswith("urn:uuid:"):
        return False
    if value[17] != "-" or value[22] != "-" or value[27] != "-" or value[32] != "-":
        return False
    digits = value[9:17] + value[18:22] + value[23:27] + value[28:32] + value[33:]
    return HEXADECIMAL.issuperset(digits)


def base64_ok(value: object) -> bool:
    """Base64 with padding; white space between groups is allowed."""
    if type(value) is not str or not value or not value.isascii():
        return False
    try:
        binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return True


def date_ok(value: object) -> bool:
    """YYYY, YYYY-MM or YYYY-MM-DD, a day of the calendar."""
    if type(value) is not str:
        return False
    size = len(value)
    if size == 10:
        if value[4] != "-" or value[7] != "-":
            return False
        try:
            _read(value)
        except ValueError:
            return False
        return value.isascii()
    if size == 7:
        return value[4] == "-" and year_ok(value[:4]) and value[5:].isdigit() and "01" <= value[5:] <= "12"
    return size == 4 and year_ok(value)


def year_ok(value: str) -> bool:
    """Four digits, 0001 at least."""
    return value.isascii() and value.isdigit() and value != "0000"


def datetime_ok(value: object) -> bool:
    """A date, or date, time with seconds and offset."""
    return instant_ok(value) if type(value) is str and len(value) > 10 else date_ok(value)


def instant_ok(value: object) -> bool:
    """YYYY-MM-DDThh:mm:ss[.s…](Z|±hh:mm), a day of the calendar; 60 seconds is a leap second."""
    if type(value) is not str:
        return False
    size = len(value)
    # The usual forms: what stands between the digits is told by its places, the rest is read in one call.
    if size == 25:
        usual = value[4:23:3] in WITH_OFFSET and value[20:22] < "14" and value[23] < "6"
    elif size == 29:
        usual = value[4:20:3] == "--T::." and value[23:27:3] in OFFSETS and value[24:26] < "14" and value[27] < "6"
    elif size == 24:
        usual = value[4:20:3] == "--T::." and value[23] == "Z"
    else:
        usual = size == 20 and value[4:20:3] == "--T::Z"
    if usual:
        try:
            _read(value)
        except ValueError:
            return _instant_ok(value)
        return True
    return _instant_ok(value)


def _instant_ok(value: str) -> bool:
    """Look closely: other lengths of the second, a leap second, an offset of 14 hours."""
    if len(value) < 20 or value[10] != "T" or not date_ok(value[:10]):
        return False
    if value[-1] == "Z":
        return _time_ok(value[11:-1])
    sign, offset = value[-6], value[-5:]
    if sign not in "+-" or offset[2] != ":":
        return False
    hours, minutes = offset[:2], offset[3:]
    if not (hours in TIMES_OF_DAY[14] and minutes in TIMES_OF_DAY[60]) and offset != "14:00":
        return False
    return _time_ok(value[11:-6])


def time_ok(value: object) -> bool:
    """hh:mm:ss[.s…]."""
    return type(value) is str and _time_ok(value)


def _time_ok(value: str) -> bool:
    if len(value) < 8 or value[2] != ":" or value[5] != ":":
        return False
    if value[:2] not in TIMES_OF_DAY[24] or value[3:5] not in TIMES_OF_DAY[60] or value[6:8] not in TIMES_OF_DAY[61]:
        return False
    if len(value) == 8:
        return True
    return value[8] == "." and value.isascii() and value[9:].isdigit()


def xhtml_ok(value: object) -> bool:
    """A narrative that FHIR allows."""
    return type(value) is str and xhtml_fault(value) is None


CHECKS: Mapping[str, Callable[[object], bool]] = MappingProxyType(
    {
        "base64Binary": base64_ok,
        "boolean": boolean_ok,
        "canonical": uri_ok,
        "code": code_ok,
        "date": date_ok,
        "dateTime": datetime_ok,
        "decimal": decimal_ok,
        "id": id_ok,
        "instant": instant_ok,
        "integer": integer_ok,
        "markdown": text_ok,
        "oid": oid_ok,
        "positiveInt": positive_ok,
        "string": text_ok,
        "time": time_ok,
        "unsignedInt": unsigned_ok,
        "uri": uri_ok,
        "url": uri_ok,
        "uuid": uuid_ok,
        "xhtml": xhtml_ok,
    }
)

# The JSON type that a value of the primitive has: tells "wrong JSON type" from "wrong format".
JSON_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {"boolean": (bool,), "decimal": (int, float), "integer": (int,), "positiveInt": (int,), "unsignedInt": (int,)}
)
