"""ValidBundle → one DeidentifiedBundle a person: the wall (DESIGN §4, docs/stream-contract.md).

What the rules list is copied in its reduced form, identities become keyed hashes, the rest does not exist any more.
Nothing here is logged, and no message holds a posted value. Promises: P13, P14, P15.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fhir_profiles.values import Entry, ValidBundle
from transformers.contract import Contract
from transformers.deidentify import facts, places, primitives
from transformers.deidentify.codings import names_code
from transformers.deidentify.encoding import collected, encode
from transformers.deidentify.explain import explain as explained
from transformers.deidentify.identities import NO_IDENTITY, contained, deleted, identify, leaving
from transformers.deidentify.keys import GatewayKeys
from transformers.deidentify.known import PERSON, Known
from transformers.deidentify.leaks import Scanner
from transformers.deidentify.modifiers import has_modifier, may_have_modifier
from transformers.deidentify.needles import NUMBERED
from transformers.deidentify.rules import Rules
from transformers.deidentify.scene import Scene
from transformers.deidentify.splitting import OWNER_ELEMENTS, Group, Item, Persons, referred, split
from transformers.deidentify.traits import billing_numbers, insured_nirs, traits_of
from transformers.deidentify.values import SCRUB_TOKEN, DeidentifiedBundle, Former, Scrubbed

UNKNOWN_MODIFIER = "modifier-extension-unknown"
UNSUPPORTED = "resource-type-unsupported"
LEAK = "leak-suspected"


def scrub(
    valid: ValidBundle, *, contract: Contract, source: str, keys: GatewayKeys, rules: Rules, explain: bool = False
) -> Scrubbed:
    """De-identify the accepted entries of a bundle.

    Args:
        valid: what `validate` let through.
        contract: what was agreed with the hospital; its FINESS names the hospital.
        source: which of the hospital's systems sends.
        keys: the hospital's keys, or random ones for a dry run.
        rules: the compiled rules.
        explain: also say, element by element, which rule did what (dry runs).
    """
    return _Scrubbing(valid, contract=contract, source=source, keys=keys, rules=rules).run(explain=explain)


class _Scrubbing:
    """One call: entries → identities → projections → groups → bytes."""

    def __init__(self, valid: ValidBundle, *, contract: Contract, source: str, keys: GatewayKeys, rules: Rules) -> None:
        self._parsed = valid.parsed
        self._entries = [valid.parsed.entries[index] for index in valid.accepted]
        self._contract = contract
        self._keys = keys
        self._rules = rules
        self._scene = Scene(
            contract=contract,
            source=source,
            hospital=keys.hospital,
            codes=rules.codes(contract.code_systems),
            types=rules.types,
        )
        self._refused: dict[int, str] = {}
        self._refused_persons: dict[str, str] = {}
        self._modifiers = may_have_modifier(valid.parsed.canonical)
        self._scanner = Scanner(
            rules.public,
            [one.resource for one in valid.parsed.entries if one.type in NUMBERED and one.resource is not None],
            expected=(self._scene.finess, contract.units, contract.code_systems),
            harmless=rules.harmless,
        )

    def run(self, *, explain: bool) -> Scrubbed:
        identified = self._identify()
        items: list[Item] = []
        for entry, known in identified:
            if entry.method != "DELETE":
                items += self._project(entry, known)
        persons = Persons(items)
        if self._refused_persons:
            items = [item for item in items if self._has_accepted_owner(item)]
        if self._scene.implied:
            items += self._implied(items)
        groups, orphans = split(items, persons, finess=self._contract.finess)
        self._refused |= dict.fromkeys((item.entry for item in orphans), NO_IDENTITY)
        for group in groups:  # a refused entry leaves nothing behind, its contained structures neither
            group.items = [item for item in group.items if item.entry not in self._refused]
        by_index = {entry.index: entry for entry in self._entries}
        bundles = [made for group in groups if group.items and (made := self._clean(group, by_index)) is not None]
        bundles += [self._deletion(entry, known) for entry, known in identified if entry.method == "DELETE"]
        bundles.sort(key=lambda bundle: (bundle.indices, bundle.key))
        return Scrubbed(
            bundles=tuple(bundles),
            refused=dict(sorted(self._refused.items())),
            dropped=dict(sorted(Counter(self._scene.left_out).items())),
            explained=tuple(line for entry in self._entries for line in explained(entry, self._rules))
            if explain
            else (),
        )

    def _identify(self) -> list[tuple[Entry, Known]]:
        """Return the entries that may leave, each with its identity; all are known before the first is projected."""
        found: list[tuple[Entry, Known]] = []
        plain = self._rules.types - {"Observation"} if not self._modifiers else frozenset()  # nothing to refuse
        for entry in self._entries:
            refusal = None if entry.type in plain else self._refusal(entry)
            if refusal is None:
                known = deleted(entry, self._scene) if entry.method == "DELETE" else identify(entry, self._scene)
                if isinstance(known, Known):
                    found.append((entry, known))
                    if entry.resource is not None:
                        self._scene.register(known, entry)
                    continue
                refusal = known
            if refusal:
                self._refuse(entry, refusal)
        return found

    def _refusal(self, entry: Entry) -> str | None:
        """Return the code that refuses an entry, "" when it is dropped without harm, None when it goes on."""
        if entry.type not in self._rules.types:
            if entry.type in self._rules.book.dropped_types or entry.type in self._rules.book.containers:
                self._scene.left_out.append(entry.type)
                return ""
            return UNSUPPORTED
        if entry.resource is None:
            return None
        if entry.type == "Observation" and names_code(entry.resource, self._rules.book.identity_codes):
            self._scene.left_out.append("Observation of an identity")
            return ""
        if self._modifiers and has_modifier(entry.resource):
            return UNKNOWN_MODIFIER
        return None

    def _refuse(self, entry: Entry, code: str) -> None:
        self._refused[entry.index] = code
        if entry.type == "Patient" and entry.id is not None:
            self._refused_persons[self._scene.rest_alias("Patient", entry.id)] = code

    def _project(self, entry: Entry, known: Known) -> list[Item]:
        """Return what an entry becomes: its contained structures as resources of their own, then itself."""
        resource = entry.resource or {}
        scene = self._scene
        scene.contained = {}
        if "contained" not in resource:
            return [self._item(entry.index, known, resource, resource)]
        inside = list(contained(resource, known, scene))
        scene.contained = {own_id: one for own_id, one, _ in inside}
        meta = {"meta": resource.get("meta")}
        made = [self._item(entry.index, one, content, meta) for _, one, content in inside]
        return [*made, self._item(entry.index, known, resource, resource)]

    def _item(self, index: int, known: Known, resource: dict[str, Any], stamped: dict[str, Any]) -> Item:
        scene = self._scene
        project = self._rules.projections[known.type]
        content: dict[str, Any] = project(resource, scene) or {}
        if stamped is not resource:
            content |= project(stamped, scene) or {}
        content["resourceType"] = known.type
        content["identifier"] = leaving(known, resource, scene)
        if known.type == "Patient":
            self._add_places(content, resource)
        if known.unstable:
            scene.flags.add("unstable-identity")
        if scene.flags:
            content.setdefault("meta", {})["tag"] = [
                {"system": facts.FLAG, "code": flag} for flag in sorted(scene.flags)
            ]
            scene.flags.clear()
        targets = tuple(scene.targets)
        scene.targets.clear()
        return Item(index, known, content, targets)

    def _implied(self, items: Sequence[Item]) -> list[Item]:
        """Return the Organizations that a reference named by their FINESS alone, with the first entry that did."""
        first = {target: item.entry for item in reversed(items) for target in item.targets}
        return [
            self._item(first[key], Known("Organization", key), {"identifier": [identifier]}, {})
            for key, identifier in self._scene.implied.items()
            if key in first
        ]

    def _add_places(self, content: dict[str, Any], patient: dict[str, Any]) -> None:
        switches = self._contract.potential_identifiers
        extension = places.residence(patient, commune="commune" in switches)
        if "death-commune" in switches:
            extension += places.death_commune(patient)
        if extension:
            content["extension"] = content.get("extension", []) + extension

    def _has_accepted_owner(self, item: Item) -> bool:
        owner = referred(item.content, OWNER_ELEMENTS, PERSON)
        code = self._refused_persons.get(owner) if owner is not None else None
        if code is not None:
            self._refused[item.entry] = code
        return code is None

    def _with_facts(self, group: Group, by_index: dict[int, Entry]) -> list[dict[str, Any]]:
        """Return the contents of a group, followed by the facts that its Patients give."""
        made = [item.content for item in group.items]
        patients = [item for item in group.items if item.known.type == "Patient"]
        if not patients:
            return made
        sent = {item.entry: by_index[item.entry].resource or {} for item in group.items}
        platform, hospital = self._keys.platform, self._keys.hospital
        for item in patients:
            patient = sent[item.entry]
            traits = traits_of(patient)
            made.append(facts.person(patient, item.known, traits, platform=platform, hospital=hospital))
            coverages = [sent[one.entry] for one in group.items if one.known.type == "Coverage"]
            if not any(True for one in coverages for _ in insured_nirs(one)):
                coverages = [billing_numbers(patient)]
            insured = facts.insured(patient, item.known, traits, coverages, platform=platform, hospital=hospital)
            made += [insured] if insured is not None else []
        for item in group.items:
            if item.known.type == "Encounter":
                alias = referred(item.content, OWNER_ELEMENTS, PERSON) or ""
                owner = next((one for one in patients if alias in one.known.aliases), patients[0])
                found = facts.age(sent[owner.entry], alias, sent[item.entry], item.known, hospital=hospital)
                made += [found] if found is not None else []
        return made

    def _clean(self, group: Group, by_index: dict[int, Entry]) -> DeidentifiedBundle | None:
        """Return the bundle of a group without the entries that still look identifying; None when nothing is left."""
        encoded = [encode(content) for content in self._with_facts(group, by_index)]
        if self._scanner.is_clean(encoded):
            return self._bundle(group, encoded)
        leaking = [item for item in group.items if not self._scanner.is_clean([encode(item.content)])]
        for item in leaking or group.items:  # what only the whole shows blocks all of it
            self._refused[item.entry] = LEAK
            self._scene.left_out += [f"{LEAK} {path}" for path in self._scanner.leaks_in(item.content)]
        group.items = [item for item in group.items if item.entry not in self._refused]
        return self._clean(group, by_index) if group.items else None

    def _deletion(self, entry: Entry, known: Known) -> DeidentifiedBundle:
        removed = facts.removals(known, hospital=self._keys.hospital)
        return self._bundle(
            Group(f"resource|{known.key}", [Item(entry.index, known, {})]), [encode(one) for one in removed]
        )

    def _bundle(self, group: Group, encoded: Sequence[bytes]) -> DeidentifiedBundle:
        stamp = primitives.stamp(self._parsed.timestamp, self._scene)
        identity = self._parsed.identity
        return DeidentifiedBundle(
            finess=self._contract.finess,
            source=self._scene.source,
            key=group.key,
            body=collected(encoded, stamp),
            bundle_identity=self._keys.hospital.bundle(self._scene.source, identity) if identity else "",
            indices=tuple(sorted({item.entry for item in group.items})),
            rules_version=self._rules.version,
            key_id=self._keys.key_id,
            token=SCRUB_TOKEN,
            former=self._former(group) if self._keys.former else (),
        )

    def _former(self, group: Group) -> tuple[Former, ...]:
        """Return what the persons of a group were called under platform keys that were replaced."""
        sent = {entry.index: entry.resource or {} for entry in self._entries}
        patients = [sent[item.entry] for item in group.items if item.known.type == "Patient"]
        platform, replaced = self._keys.platform, self._keys.former
        return tuple(
            one
            for patient in patients
            for one in facts.former(patient, traits_of(patient), platform=platform, replaced=replaced)
        )
