"""`/workbench/profiles`: what a profile demands, how FR Core's versions differ, what is not checked."""

from __future__ import annotations

import re
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
from gateway.workbench.profile_tree import tree_of
from gateway.workbench.words import say

VERSIONS = ("2.1.0", "2.2.0")
FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
FIRST = FR_CORE + "fr-core-patient|2.2.0"
UNCHECKED = (
    ("the discriminator fixes no value", "le discriminant ne fixe aucune valeur"),
    ("slices with the same discriminator values", "des tranches ont les mêmes valeurs de discriminant"),
    ("slicing without discriminator", "découpage sans discriminant"),
    ("profile (.+) is not loaded", r"le profil \1 n'est pas chargé"),
    ("an element of a profile: only its path is asked", "un élément d'un profil : seul son chemin est demandé"),
    ("a context that names no element", "un contexte qui ne nomme aucun élément"),
    ("the function (.+)", r"la fonction \1"),
    ("the variable (.+)", r"la variable \1"),
    ("(.+): (.+) is not an element of (.+)", r"\1 : \2 n'est pas un élément de \3"),
)
VERSION = re.compile(r"\|[0-9][0-9A-Za-z.-]*")
HEADER = """
<span class="wb-node"><b>{{ props.node.name }}</b> <span>{{ props.node.card }}</span>
<span class="wb-dim">{{ props.node.types }}</span></span>
"""
BODY = """
<ul v-if="props.node.more.length" class="wb-demands"><li v-for="one in props.node.more">{{ one }}</li></ul>
"""


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
def _demands(data_dir: Path, profile: str, language: Language) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(one) for one in demands(data_dir, profile, language=language))


def _profile(data_dir: Path, profile: str, language: Language) -> None:
    ui.html(f"<h2>{profile}</h2>", sanitize=True).classes("nicegui-html")
    wanted = ui.input(say("search", language)).props("dense clearable data-testid=search-profile")
    nodes = tree_of(_demands(data_dir, profile, language))
    tree = ui.tree(nodes, node_key="id", label_key="found").classes("w-full").props("dense no-transition")
    tree.add_slot("default-header", HEADER)
    tree.add_slot("default-body", BODY)
    tree.expand([one["id"] for one in nodes])
    wanted.on_value_change(lambda event: _search(tree, str(event.value or "")))
    other = _other_version(data_dir, profile)
    if other is not None:
        _compare(data_dir, *sorted((profile, other)), language=language)


def _search(tree: ui.tree, words: str) -> None:
    """Show what holds the words, opened; nothing asked for shows the first level."""
    tree.props["filter"] = words
    tree.collapse()
    tree.expand(None if words else [one["id"] for one in tree.props["nodes"]])


def _other_version(data_dir: Path, profile: str) -> str | None:
    url, _, version = profile.partition("|")
    if not url.startswith(FR_CORE) or version not in VERSIONS:
        return None
    other = f"{url}|{VERSIONS[1 - VERSIONS.index(version)]}"
    return other if other in _names(data_dir) else None


def _compare(data_dir: Path, old: str, new: str, *, language: Language) -> None:
    before = {line[0]: line[1:] for line in _demands(data_dir, old, language)}
    after = {line[0]: line[1:] for line in _demands(data_dir, new, language)}
    rows = []
    for path in dict.fromkeys((*before, *after)):
        if path not in before or path not in after:
            version = VERSIONS[0] if path in before else VERSIONS[1]
            rows.append((path, f"{say('only-in', language)} {version}", "", ""))
        elif _bare(before[path]) != _bare(after[path]):
            rows.append((path, say("differs", language), " · ".join(before[path]), " · ".join(after[path])))
    heads = (("path", say("path", language)), ("what", say("what", language)), ("old", VERSIONS[0]),
             ("new", VERSIONS[1]))  # fmt: skip
    grid(heads, rows, title=say("compare", language), language=language, searched=True)


def _bare(line: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the versions of canonicals: one guide writes them, the other does not."""
    return tuple(VERSION.sub("", part) for part in line)


def _defects(language: Language) -> None:
    heads = (
        ("profile", say("page-profiles", language)),
        ("element", say("path", language)),
        ("fact", say("rule", language)),
        ("effect", say("what", language)),
        ("reason", say("reason", language)),
    )
    rows = (
        (one.profile, one.element, one.fact, say(f"defect-{one.effect}", language),
         one.reason_fr if language == "fr" else one.reason)
        for one in known_defects()
    )  # fmt: skip
    grid(heads, rows, title=say("defects", language), language=language)


def _unchecked(desk: Desk, language: Language) -> None:
    heads = (
        ("profile", say("page-profiles", language)),
        ("rule", say("rule", language)),
        ("reason", say("reason", language)),
    )
    rows = [(*place, _why(reason, language)) for *place, reason in desk.yardstick.validator.profiles.not_checked()]
    grid(heads, rows, title=f"{say('not-checked', language)} ({len(rows)})", language=language)


def _why(reason: str, language: Language) -> str:
    """Return why a rule is not checked in the reader's language; the compiler says it in English."""
    for english, french in UNCHECKED:
        if language == "fr" and re.fullmatch(english, reason):
            return re.sub(english, french, reason)
    return reason
