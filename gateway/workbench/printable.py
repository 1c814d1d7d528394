"""An analysis → one HTML page to print or to send: codes, places, sentences. It holds no value of the document."""

from __future__ import annotations

from html import escape

from fhir_profiles.issues import Language, repair, text
from gateway.workbench.analysis import Analysis
from gateway.workbench.words import say

STYLE = "body{font:14px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}code{font-size:12px}"


def printable(analysis: Analysis, language: Language) -> bytes:
    """Return the page."""
    verdict = say("refused" if analysis.refused else "accepted", language)
    items = "".join(
        f"<li><strong>{escape(one.severity)}</strong> <code>{escape(one.expression)}</code>"
        f"<br>{escape(text(one, language))}<br>{escape(repair(one, language))} <small>{escape(one.code)}</small></li>"
        for one in analysis.issues
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(verdict)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(verdict)}</h1><ol>{items}</ol></body></html>"
    ).encode()
