"""Reports of `validate` → text for people, JSON lines, JUnit XML, SARIF 2.1.0. Stable: same files, same output."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from fhir_profiles.issues import ISSUE_PAGES, Issue, catalogue, operation_outcome, repair, text
from gateway.cli import screen
from gateway.cli.excerpts import Excerpts
from gateway.cli.validation import Report

Language = Literal["fr", "en"]
Form = Literal["human", "json", "junit", "sarif"]
LEVELS = {"fatal": "error", "error": "error", "warning": "warning", "information": "note"}


def write(reports: Iterable[Report], *, form: Form, language: Language) -> int:
    """Write all reports; 1 when one fails."""
    if form == "human":
        return _human(reports, language)
    if form == "json":
        failed = False
        for report in reports:
            outcome = operation_outcome(report.issues, language=language, quoting=True)
            screen.write_json({"file": report.file, "outcome": outcome})
            failed |= report.fails
        return int(failed)
    listed = list(reports)
    if form == "junit":
        sys.stdout.write(junit(listed, language))
    else:
        screen.write_json(sarif(listed, language))
    return int(any(report.fails for report in listed))


def _human(reports: Iterable[Report], language: Language) -> int:
    out = screen.console()
    files = failed = 0
    for report in reports:
        files += 1
        failed += report.fails
        errors = sum(one.blocks for one in report.issues)
        mark = "[red]✗[/red]" if report.fails else "[green]✓[/green]"
        told = f"[red]{errors} error{'s' * (errors > 1)}[/red]" if errors else "[green]valid[/green]"
        others = len(report.issues) - errors
        out.print(
            f"{mark} [bold]{screen.escaped(report.file)}[/bold]  {told}" + (f", {others} notes" if others else ""),
            soft_wrap=True,
        )
        excerpts = Excerpts(Path(report.file) if report.piped is None else report.piped)
        for one in report.issues:
            _print_issue(out, one, language, excerpts)
    out.print(f"{files} files, {failed} with errors", style="dim")
    return int(bool(failed))


def _print_issue(out: Any, one: Issue, language: Language, excerpts: Excerpts) -> None:  # noqa: ANN401 — rich's
    style, mark = screen.STYLES[one.severity], screen.MARKS[one.severity]
    place = f"{one.line}:{one.column}" if one.line is not None else ""
    sentence = screen.escaped(text(one, language, quoting=True))
    out.print(f"  [{style}]{mark}[/{style}] {place:>9}  [cyan]{screen.escaped(one.expression)}[/cyan]", soft_wrap=True)
    out.print(f"               {sentence} [dim]{one.code}[/dim]", soft_wrap=True)
    found = excerpts.at(one.line, one.column or 1) if one.line is not None else None
    if found is not None:
        line, caret = found
        out.print(f"               [dim]{screen.escaped(line)}[/dim]", soft_wrap=True)
        out.print(f"               [{style}]{' ' * caret}^[/{style}]", soft_wrap=True)
    advice = repair(one, language)
    if advice:
        out.print(f"               → {screen.escaped(advice)}", style="green", soft_wrap=True)
    if one.profile:
        rule = f"#{one.rule}" if one.rule else ""
        out.print(f"               [dim]{screen.escaped(one.profile + rule)}[/dim]", soft_wrap=True)


def junit(reports: list[Report], language: Language) -> str:
    """Return JUnit XML: a test case a file, one failure with all its errors (a case fails once, as counts say)."""
    counts = f'tests="{len(reports)}" failures="{sum(one.fails for one in reports)}" errors="0" time="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="snds-gateway validate" {counts}>',
        f'<testsuite name="FHIR" {counts} skipped="0">',
    ]
    for report in reports:
        lines.append(f'<testcase classname="fhir" name={quoteattr(report.file)} time="0">')
        errors = [one for one in report.issues if one.blocks]
        if errors:
            more = f" (+{len(errors) - 1})" if len(errors) > 1 else ""
            sentence = text(errors[0], language, quoting=True) + more
            told = "\n".join(_junit_line(report.file, one, language) for one in errors)
            lines.append(
                f"<failure type={quoteattr(errors[0].code)} message={quoteattr(sentence)}>{escape(told)}</failure>"
            )
        lines.append("</testcase>")
    return "\n".join([*lines, "</testsuite>", "</testsuites>", ""])


def _junit_line(file: str, one: Issue, language: Language) -> str:
    return f"{file}:{one.line}:{one.column} {one.expression}: {text(one, language, quoting=True)} [{one.code}]"


def sarif(reports: list[Report], language: Language) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log: what code hosts show beside the lines."""
    codes = sorted({one.code for report in reports for one in report.issues})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "snds-gateway",
                        "version": version("fhir-snds-gateway"),
                        "rules": [
                            {
                                "id": code,
                                "shortDescription": {"text": catalogue()[code].text[language]},
                                "helpUri": f"{ISSUE_PAGES}#{code}",
                            }
                            for code in codes
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(report.file, one, language) for report in reports for one in report.issues],
            }
        ],
    }


def _result(file: str, one: Issue, language: Language) -> dict[str, Any]:
    place: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": _uri(file)}}}
    if one.line is not None:
        place["physicalLocation"]["region"] = {"startLine": one.line, "startColumn": one.column}
    if one.expression:
        place["logicalLocations"] = [{"fullyQualifiedName": one.expression}]
    return {
        "ruleId": one.code,
        "level": LEVELS[one.severity],
        "message": {"text": text(one, language, quoting=True)},
        "locations": [place],
    }


def _uri(file: str) -> str:
    """Return a file's name as a URI: relative as it was given, or absolute."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
