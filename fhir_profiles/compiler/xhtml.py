"""`Narrative.div` → the fault in it, or None (FHIR R4 narrative §2.4.0: allowed elements and attributes).

Parsed by expat with every declaration refused: no DOCTYPE, no entity, so nothing expands and nothing is fetched.
"""

from __future__ import annotations

import re
from xml.parsers import expat

NAMESPACE = "http://www.w3.org/1999/xhtml"
ELEMENTS = frozenset(
    "a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img"
    " kbd li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt u ul var".split()
)
ATTRIBUTES = frozenset(
    "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset"
    " cite class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name nowrap rel"
    " rev rowspan rules scope shape span src start style summary tabindex title type valign value vspace width"
    " xml:lang xml:space xmlns".split()
)
SCHEMES = ("http:", "https:", "mailto:", "tel:", "#", "data:image/")


# The narrative that software writes: paragraphs of plain text. Possessive: linear.
_OPENING = (
    r'<div xmlns="http://www\.w3\.org/1999/xhtml"(?: xml:lang="[A-Za-z-]{1,16}+")?+(?: lang="[A-Za-z-]{1,16}+")?+>'
)
_TEXT = r"[^<>&\x00-\x1f\ufffe\uffff]*+</p>"
_PLAIN = re.compile(rf"{_OPENING}(?:<p>{_TEXT})++</div>")
# One that begins with a letter or a digit, so is not empty: right at a glance.
usual_narrative = re.compile(rf"{_OPENING}<p>[^\W_]{_TEXT}(?:<p>{_TEXT})*+</div>").fullmatch


class _Refused(Exception):  # noqa: N818 — never leaves this module
    """Stops the parse; carries the fault's code."""


def xhtml_fault(text: str) -> str | None:
    """Return `malformed`, `declaration`, `root`, `element`, `attribute`, `link`, `empty` or `anchor`; None: well."""
    if _PLAIN.fullmatch(text) is not None:
        paragraphs = text[text.index("<p>") : -len("</div>")]
        return None if paragraphs.replace("<p>", "").replace("</p>", "").strip() else "empty"
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return "declaration"
    reader = _Reader()
    parser = expat.ParserCreate("UTF-8", namespace_separator=None)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.declaration
    parser.EntityDeclHandler = reader.declaration
    parser.ProcessingInstructionHandler = reader.declaration
    try:
        parser.Parse(text.encode("utf-8", "surrogatepass"), True)  # noqa: FBT003 — expat takes no keyword
    except expat.ExpatError:
        return "malformed"
    except _Refused as fault:
        return str(fault)
    if not reader.has_content:
        return "empty"
    return None if reader.wanted <= reader.anchors else "anchor"


class _Reader:
    """Sees elements as expat finds them."""

    def __init__(self) -> None:
        self.depth = 0
        self.has_content = False
        self.anchors: set[str] = set()
        self.wanted: set[str] = set()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Check an element and its attributes."""
        if self.depth == 0 and (name != "div" or attributes.get("xmlns") != NAMESPACE):
            raise _Refused("root")
        self.depth += 1
        if name not in ELEMENTS:
            raise _Refused("element")
        if name == "img":
            self.has_content = True
        for attribute, value in attributes.items():
            if attribute not in ATTRIBUTES:
                raise _Refused("attribute")
            if attribute in ("href", "src") and ":" in value and not value.lower().startswith(SCHEMES):
                raise _Refused("link")
            if attribute == "href" and value.startswith("#") and len(value) > 1:
                self.wanted.add(value[1:])
            elif attribute == "id" or (attribute == "name" and name == "a"):
                self.anchors.add(value)

    def end(self, _name: str) -> None:
        """Leave an element."""
        self.depth -= 1

    def characters(self, text: str) -> None:
        """Note that there is text."""
        if not self.has_content and text.strip():
            self.has_content = True

    def declaration(self, *_parts: object) -> None:
        """Refuse DOCTYPE, entities and processing instructions."""
        raise _Refused("declaration")
