"""`profiles list|show|add`: the FHIR packages of the product and of the installation, and what a profile demands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from fhir_profiles.compiler.library import Definition, Library
from fhir_profiles.compiler.profiles import DEFAULT_PACKAGES, load_profiles
from fhir_profiles.constraint_words import constraint_words
from fhir_profiles.errors import Misconfigured, PipelineError
from fhir_profiles.issues import Language
from fhir_profiles.model import MANY, Constraint, Discriminator, Element, Structure
from fhir_profiles.package import closure, manifest, packaged
from fhir_profiles.package_files import from_paths
from gateway.cli import screen
from gateway.definitions import FOLDER, added_definitions
from gateway.files import alone

EVERYWHERE = ("ele", "ext", "dom")
FRENCH = {
    "required": "codes imposés :", "extensible": "codes à étendre au besoin :", "preferred": "codes préférés :",
    "example": "codes d'exemple :", "slices by": "tranches par", "open": "ouvert", "closed": "fermé",
    "openAtEnd": "ouvert à la fin", "fixed": "valeur fixe", "pattern": "contient", "error": "erreur",
    "warning": "avertissement",
}  # fmt: skip
PLAIN_SLICING = ((Discriminator("value", "url"),), "open")


def list_packages(data_dir: Path, *, as_json: bool) -> int:
    """List the packages with their versions, numbers of definitions and licences."""
    loaded = closure(DEFAULT_PACKAGES)
    rows = [
        (one.label, "loaded" if one.id in loaded else "on demand", sum(one.counts.values()), one.licence)
        for one in manifest().values()
    ]
    rows += [(one.id, "added", len(one.resources), "") for one in from_paths(added_definitions(data_dir))]
    if as_json:
        for name, state, number, licence in rows:
            screen.write_json({"package": name, "state": state, "definitions": number, "licence": licence})
        return 0
    columns = ("package", "state", "definitions", "licence")
    screen.console().print(screen.grid(None, columns, rows, right="definitions"))
    return 0


def profile_names(library: Library) -> tuple[str, ...]:
    """Return the versioned canonicals of every profile, in order."""
    return tuple(sorted({one.key for one in library.definitions()}))


def demands(data_dir: Path, profile: str, *, language: Language) -> list[list[str]]:
    """Return id, cardinality, types and further demands of the elements that a profile speaks of, in its order."""
    library = library_of(data_dir)
    return [_line(one, language) for one in _demands(library, library.read(_definition(library, profile)))]


def show_profile(data_dir: Path, profile: str, *, language: Language, as_json: bool) -> int:
    """Show the elements that a profile speaks of: cardinality, types, binding, slices, invariants in words."""
    library = library_of(data_dir)
    found = _definition(library, profile)
    structure = library.read(found)
    told = list(_demands(library, structure))
    if as_json:
        for one in told:
            path, cardinality, types, *more = _line(one, language)
            screen.write_json({"element": path, "cardinality": cardinality, "types": types, "demands": more})
        return 0
    out = screen.console()
    out.print(f"[bold]{screen.escaped(found.key)}[/bold]  {structure.type}, {found.package}", soft_wrap=True)
    out.print(f"[dim]{len(told)} of {len(structure.elements)} elements differ from the base types[/dim]")
    for one in told:
        path, cardinality, types, *more = map(screen.escaped, _line(one, language))
        out.print(f"[cyan]{path}[/cyan]  {cardinality}  [dim]{types}[/dim]", soft_wrap=True)
        for demand in more:
            out.print(f"    {demand}", soft_wrap=True)
    return 0


def add_package(data_dir: Path, package: Path) -> int:
    """Check a package by compiling every profile of it, then keep it. Raises Misconfigured, and keeps nothing."""
    together = (*added_definitions(data_dir), package)
    read = from_paths(together)[-1]
    loaded = load_profiles(together)
    profiles = [key for key in loaded.added() if loaded.package_of(key) == read.id]
    with alone(data_dir):
        target = data_dir / FOLDER / package.name
        if target.exists():
            raise Misconfigured("package-exists", f"{target} exists: remove it first")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{package.name}")
        if package.is_dir():
            shutil.copytree(package, draft, dirs_exist_ok=True)
        else:
            shutil.copyfile(package, draft)
        draft.replace(target)
    screen.console().print(
        f"[green]✓[/green] {screen.escaped(package.name)}: {len(read.resources)} definitions, {len(profiles)} profiles"
    )
    for name in read.missing:
        screen.complain(f"{package.name} depends on {name}, which is not loaded: add it too")
    for key in profiles:
        for rule, reason in loaded.unchecked(key):
            told = f"  not checked: {screen.escaped(f'{key} {rule}: {reason}')}"
            screen.console().print(told, style="dim", soft_wrap=True)
    return 0


def library_of(data_dir: Path) -> Library:
    """Return the definitions of the product and of the installation, those loaded by default preferred."""
    preferred = closure(DEFAULT_PACKAGES)
    others = [one for one in manifest() if one not in preferred]
    return Library([*(packaged(one) for one in (*others, *preferred)), *from_paths(added_definitions(data_dir))])


def _definition(library: Library, asked: str) -> Definition:
    """Find a profile by canonical, or by the last part of it; the preferred package wins."""
    url, _, version = asked.partition("|")
    found = None
    for one in library.definitions():
        same = one.url == url or ("/" not in url and one.url.rpartition("/")[2] == url)
        if same and (not version or one.key == f"{one.url}|{version}"):
            found = one
    if found is None:
        raise Misconfigured("profile-unknown", "no package holds a profile of that name: see profiles list")
    return found


def _demands(library: Library, profile: Structure) -> Iterator[Element]:
    """Yield the elements that say more than the types that they come from."""
    seen: dict[str, Element] = {}
    bases: dict[str, dict[str, Element]] = {}
    for one in profile.elements:
        seen[one.id] = one
        parent = seen.get(one.id.rpartition(".")[0])
        kinds = {kind.code for kind in parent.types} if parent else set()
        known = [_of(library, bases, profile.type).get(one.path)] if profile.is_profile else []
        known += [_of(library, bases, kind).get(f"{kind}.{one.name}") for kind in sorted(kinds)]
        if one.slice_name is not None or not any(base and _content(base) == _content(one) for base in known):
            yield one


def _of(library: Library, bases: dict[str, dict[str, Element]], kind: str) -> dict[str, Element]:
    """Return the elements of a type by path; nothing for a type that is no structure (`Element`, a profile's name)."""
    if kind not in bases:
        try:
            bases[kind] = {one.path: one for one in library.type(kind).elements}
        except PipelineError:
            bases[kind] = {}
    return bases[kind]


def _content(one: Element) -> tuple[object, ...]:
    slicing = one.slicing and (one.slicing.discriminators, one.slicing.rules) != PLAIN_SLICING and one.slicing
    rules = frozenset(_own_rules(one))
    return one.minimum, one.maximum, one.types, one.binding, one.fixed, one.pattern, one.max_length, slicing, rules


def _own_rules(one: Element) -> Iterator[Constraint]:
    """Yield the rules but those that every element and resource has."""
    return (rule for rule in one.constraints if rule.key.split("-")[0] not in EVERYWHERE)


def _line(one: Element, language: Language) -> list[str]:
    """Return id, cardinality, types, and each further demand."""
    most = "*" if one.maximum == MANY else str(one.maximum)
    types = " ".join(dict.fromkeys(kind.code for kind in one.types)) if one.maximum else ""
    return [one.id, f"{one.minimum}..{most}", types, *_more(one, language)]


def _more(one: Element, language: Language) -> Iterator[str]:
    def say(word: str) -> str:
        return FRENCH[word] if language == "fr" else word

    if one.binding:
        yield f"{say(one.binding.strength)} {one.binding.value_set or ''}".strip()
    if one.slicing:
        by = ", ".join(f"{how.type} {how.path}" for how in one.slicing.discriminators)
        yield f"{say('slices by')} {by} ({say(one.slicing.rules)})"
    for word, value in (("fixed", one.fixed), ("pattern", one.pattern)):
        if value is not None:
            yield f"{say(word)} {value.json}"
    targets = [target for kind in one.types for target in (*kind.profiles, *kind.targets)]
    if targets:
        yield "→ " + " ".join(target.rpartition("/")[2] for target in targets)
    for rule in _own_rules(one):
        told = constraint_words(rule.key, rule.expression, language) or rule.expression
        yield f"{rule.key} ({say(rule.severity)}) {told}"
