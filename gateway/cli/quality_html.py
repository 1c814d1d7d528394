"""`Report` → one HTML file that needs nothing else: no script, no font, no address. French or English."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from html import escape
from importlib.resources import files

from gateway.cli.quality_words import Language, word
from streaming.aggregates import MINIMUM, Cell, Share
from streaming.quality import FAMILIES, Line, Report
from streaming.quality_checks import Family
from transformers.snds.quarantine import COUNTS, REASONS, Text
from transformers.snds.schema import TABLES

WIDTH, HEIGHT, SPARK = 720, 160, 90
GOOD, FAIR = 0.98, 0.9
TABLE_ORDER = {name: place for place, name in enumerate(TABLES)}


def html(report: Report, *, language: Language, hospital: str | None, made_on: date) -> str:
    """Return the whole page."""
    style = (files("gateway") / "data" / "quality.css").read_text(encoding="utf-8")
    title = f"{word('title', language)} — {hospital or word('all', language)}"
    made = f"<p>{word('made', language)} {made_on:%d/%m/%Y}</p>"
    note = f"<p class=note>{escape(word('masking', language))}</p>"
    body = "".join(
        (
            f"<header><h1>{escape(title)}</h1>{made}{note}</header>",
            _families(report, language),
            _repairs(report, language),
            _months(report, language),
            _cells("statuses", "status", report.statuses, language, lambda code: word(code, language)),
            _cells(
                "quarantine",
                "reason",
                report.quarantine,
                language,
                lambda code: _told(REASONS.get(code), code, language),
            ),
            _checks(report, language),
            _columns(report, language),
            _cells(
                "counters", "event", report.counters, language, lambda code: _told(COUNTS.get(code), code, language)
            ),
        )
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def _families(report: Report, language: Language) -> str:
    tiles = []
    for (hospital, family), failing in sorted(report.families.items(), key=_platform_last):
        rate = None if failing.rate is None else 1 - failing.rate
        of = f"<br><small>{_number(failing.whole)} {word('passed', language)}</small>" if failing.whole else ""
        told = f"{_percent(rate)}{of}"
        place = f"<small>{escape(hospital or word('platform', language))}</small><br>"
        tiles.append(
            f'<div class="tile {_level(rate)}"><h3>{word(family, language)}</h3>'
            f"{place}<span class=big>{told}</span></div>"
        )
    return _section("families", f"<div class=tiles>{''.join(tiles)}</div>" if tiles else "", language)


def _platform_last(one: tuple[tuple[str, Family], Share]) -> tuple[bool, str, int]:
    (hospital, family), _ = one
    return not hospital, hospital, FAMILIES.index(family)


def _repairs(report: Report, language: Language) -> str:
    rows = [
        (one.hospital, _count(one.number), getattr(one.what, language), getattr(one.how, language), one.code)
        for one in report.repairs
    ]
    heads = (word("of", language), word("number", language), word("what", language), word("repair", language), "code")
    return _section("repairs", _table(heads, rows), language)


def _months(report: Report, language: Language) -> str:
    by_hospital: dict[str, list[Cell]] = {}
    for cell in report.stays:
        by_hospital.setdefault(cell.group[0], []).append(cell)
    made = []
    for hospital, cells in by_hospital.items():
        rows = [(cell.group[1], _count(cell.stays), _count(cell.persons)) for cell in cells]
        heads = (word("month", language), word("number", language), word("persons", language))
        details = f"<details><summary>{word('table', language)}</summary>{_table(heads, rows)}</details>"
        made.append(f"<h3>{escape(hospital)}</h3>{_bars(cells, word('stays', language))}{details}")
    return _section("stays", "".join(made), language)


def _bars(cells: Sequence[Cell], title: str) -> str:
    """Draw columns; a masked month is a short hatched one."""
    most = max((cell.stays or 0 for cell in cells), default=0) or 1
    step = WIDTH / max(len(cells), 1)
    drawn = []
    for place, cell in enumerate(cells):
        high = HEIGHT * cell.stays / most if cell.stays is not None else 6
        kind = "bar" if cell.stays is not None else "hidden"
        label = f"{cell.group[1]}: {_count(cell.stays)}"
        drawn.append(
            f'<rect class={kind} x="{place * step + 1:.1f}" y="{HEIGHT - high:.1f}" width="{max(step - 2, 1):.1f}"'
            f' height="{high:.1f}"><title>{escape(label)}</title></rect>'
        )
    first, last = (cells[0].group[1], cells[-1].group[1]) if cells else ("", "")
    return (
        f'<svg role=img viewBox="0 0 {WIDTH} {HEIGHT + 20}" class=chart><title>{escape(title)}</title>{"".join(drawn)}'
        f'<text x="0" y="{HEIGHT + 15}">{escape(first)}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 15}" text-anchor=end>{escape(last)}</text></svg>'
    )


def _cells(section: str, head: str, cells: Iterable[Cell], language: Language, told: Callable[[str], str]) -> str:
    rows = [(cell.group[0], told(cell.group[1]), _count(cell.stays)) for cell in cells]
    return _section(
        section, _table((word("of", language), word(head, language), word("number", language)), rows), language
    )


def _checks(report: Report, language: Language) -> str:
    tables: dict[str, list[Line]] = {}
    for line in report.lines:
        tables.setdefault(line.check.table, []).append(line)
    made = []
    for table, lines in sorted(tables.items(), key=lambda one: TABLE_ORDER[one[0]]):
        lines.sort(key=lambda one: (FAMILIES.index(one.check.family), one.check.code, one.hospital))
        body = "".join(_check(line, language) for line in lines)
        heads = ("of", "check", "failing", "rows", "rate", "trend")
        head = "".join(f"<th scope=col{_aligned(one)}>{word(one, language)}</th>" for one in heads)
        wrong = sum(1 for line in lines if line.failing.rate)
        made.append(
            f"<details{' open' if wrong else ''}><summary><b>{escape(table)}</b> {escape(_title(table))}"
            f" <small>{len(lines)} · {wrong}</small></summary>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
        )
    return _section("checks", "".join(made), language)


def _aligned(head: str) -> str:
    return " class=n" if head in ("failing", "rows", "rate") else ""


def _check(line: Line, language: Language) -> str:
    failing, check = line.failing, line.check
    told = getattr(check.text, language)
    advice = getattr(check.repair, language)
    rate = None if failing.rate is None else 1 - failing.rate
    return (
        f'<tr class="{_level(rate)}"><td>{escape(line.hospital)}</td><td title="{escape(advice)}">{escape(told)}'
        f" <small>{word(check.family, language)} · {escape(check.code)}</small></td>"
        f"<td class=n>{_share(failing)}</td><td class=n>{_number(failing.whole)}</td>"
        f"<td class=n>{_percent(failing.rate)}</td><td>{_spark(line.trend)}</td></tr>"
    )


def _spark(trend: Sequence[tuple[str, float | None]]) -> str:
    """Draw the failing rate by month, from 0 to 100 %; a gap where it is masked."""
    if len(trend) < 2:
        return ""
    step = SPARK / (len(trend) - 1)
    dots = "".join(
        f'<circle cx="{place * step:.1f}" cy="{18 - 16 * rate:.1f}" r="1.6"><title>{escape(month)}: {_percent(rate)}'
        "</title></circle>"
        for place, (month, rate) in enumerate(trend)
        if rate is not None
    )
    return f'<svg class=spark viewBox="-2 0 {SPARK + 4} 20" aria-hidden=true>{dots}</svg>'


def _columns(report: Report, language: Language) -> str:
    rows = [
        (hospital, table, column, _percent(filled.rate) if filled.rate is not None else f"‹ {MINIMUM}")
        for hospital, table, column, filled in report.filled
    ]
    heads = tuple(word(one, language) for one in ("of", "table", "column", "rate"))
    body = f"<p class=note>{escape(word('columns-note', language))}</p><details><summary>{len(rows)}</summary>"
    return _section("columns", f"{body}{_table(heads, rows)}</details>" if rows else "", language)


def _section(name: str, body: str, language: Language) -> str:
    told = body or f"<p>{word('nothing', language)}</p>"
    return f"<section id={name}><h2>{word(name, language)}</h2>{told}</section>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th scope=col>{escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _told(text: Text | None, code: str, language: Language) -> str:
    return str(getattr(text, language)) if text is not None else code


def _title(table: str) -> str:
    return TABLES[table].title_fr if table in TABLES else ""


def _count(number: int | None) -> str:
    return f"‹ {MINIMUM}" if number is None else _number(number)


def _number(number: int | None) -> str:
    return f"‹ {MINIMUM}" if number is None else f"{number:,}".replace(",", "\u202f")


def _share(share: Share) -> str:
    return _count(share.part)


def _percent(rate: float | None) -> str:
    return "—" if rate is None else f"{rate * 100:.1f}\u202f%"


def _level(rate: float | None) -> str:
    if rate is None:
        return "unknown"
    return "good" if rate >= GOOD else "fair" if rate >= FAIR else "poor"
