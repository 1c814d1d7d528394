"""`/workbench/profiles`: what a profile demands, how FR Core's versions differ, what is not checked."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import Request
from nicegui import ui

from fhir_profiles.compiler.defects import known_defects
from fhir_profiles.issues import Language
from gateway.cli.profiles import demands, library_of, profile_names
from gateway.workbench.desk import Desk
from gateway.workbench.frame import frame
from gateway.workbench.grids import grid
from gateway.workbench.words import say

VERSIONS = ("2.1.0", "2.2.0")
FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
FIRST = FR_CORE + "fr-core-patient|2.2.0"


def profiles_page(request: Request, desk: Desk) -> None:
    """Draw the page."""
    session = desk.session(request)
    language = session.language
    names = _names(desk.data_dir)
    with frame(session, "page-profiles"):
        choose = ui.select(
            {one: one for one in names},
            value=FIRST if FIRST in names else names[0],
            label=say("page-profiles", language),
            with_input=True,
        ).classes("w-full")
        place = ui.column().classes("w-full")

        def draw() -> None:
            place.clear()
            with place:
                _profile(desk.data_dir, str(choose.value), language)

        draw()
        choose.on_value_change(draw)
        _defects(language)
        _unchecked(desk, language)


@cache
def _names(data_dir: Path) -> tuple[str, ...]:
    return profile_names(library_of(data_dir))


@cache
def _demands(data_dir: Path, profile: str) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (path, cardinality, types, " · ".join(more)) for path, cardinality, types, *more in demands(data_dir, profile)
    )


def _profile(data_dir: Path, profile: str, language: Language) -> None:
    heads = (("path", say("path", language)), ("card", say("cardinality", language)), ("types", say("types", language)),
             ("more", say("constraints", language)))  # fmt: skip
    grid(heads, _demands(data_dir, profile), title=profile, language=language, searched=True, page=30)
    other = _other_version(data_dir, profile)
    if other is not None:
        _compare(data_dir, *sorted((profile, other)), language=language)


def _other_version(data_dir: Path, profile: str) -> str | None:
    url, _, version = profile.partition("|")
    if not url.startswith(FR_CORE) or version not in VERSIONS:
        return None
    other = f"{url}|{VERSIONS[1 - VERSIONS.index(version)]}"
    return other if other in _names(data_dir) else None


def _compare(data_dir: Path, old: str, new: str, *, language: Language) -> None:
    before = {line[0]: line[1:] for line in _demands(data_dir, old)}
    after = {line[0]: line[1:] for line in _demands(data_dir, new)}
    rows = []
    for path in dict.fromkeys((*before, *after)):
        if path not in before or path not in after:
            version = VERSIONS[0] if path in before else VERSIONS[1]
            rows.append((path, f"{say('only-in', language)} {version}", "", ""))
        elif before[path] != after[path]:
            rows.append((path, say("differs", language), " ".join(before[path]), " ".join(after[path])))
    heads = (("path", say("path", language)), ("what", say("what", language)), ("old", VERSIONS[0]),
             ("new", VERSIONS[1]))  # fmt: skip
    grid(heads, rows, title=say("compare", language), language=language, searched=True)


def _defects(language: Language) -> None:
    heads = (
        ("profile", say("page-profiles", language)),
        ("element", say("path", language)),
        ("fact", say("rule", language)),
        ("effect", say("what", language)),
        ("reason", say("reason", language)),
    )
    rows = ((one.profile, one.element, one.fact, one.effect, one.reason) for one in known_defects())
    grid(heads, rows, title=say("defects", language), language=language)


def _unchecked(desk: Desk, language: Language) -> None:
    heads = (
        ("profile", say("page-profiles", language)),
        ("rule", say("rule", language)),
        ("reason", say("reason", language)),
    )
    rows = desk.yardstick.validator.profiles.not_checked()
    grid(heads, rows, title=f"{say('not-checked', language)} ({len(rows)})", language=language)
