"""Bytes → what would be said, what would leave, which rows it would become: the line as `serve` runs it, kept nowhere.

Keys are random and live for one `Bench`: pseudonyms begin with `demo-` and join with nothing. State is in memory; no
real key is loaded, nothing is published, counted or written to a disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Refused
from fhir_profiles.issues import Issue, issue
from fhir_profiles.limits import Limits
from fhir_profiles.positions import with_positions
from fhir_profiles.validator import Validator
from streaming.batches import apply_batch
from streaming.conversion import Plan, plan
from streaming.conversion import Rules as RowRules
from streaming.dead_letter import FloodGuard
from streaming.event import Event, Record, event_of
from streaming.state import State
from transformers.contract import Contract
from transformers.deidentify.keys import GatewayKeys, random_gateway_keys, random_table_keys
from transformers.deidentify.pseudonyms import TableKeys
from transformers.deidentify.rules import Rules
from transformers.deidentify.scrub import scrub
from transformers.deidentify.values import Scrubbed
from transformers.snds.view import Row, StayOutcome

IN_MEMORY = Path(":memory:")
EVERYONE = 1_000_000
SOURCE = "main"


@dataclass(frozen=True, slots=True, repr=False)
class Bench:
    """What one dry run works with: the contract to try under, and keys that end with it."""

    contract: Contract
    validator: Validator
    rules: Rules
    limits: Limits = field(default_factory=Limits)
    keys: GatewayKeys = field(default_factory=random_gateway_keys)
    table_keys: TableKeys = field(default_factory=random_table_keys)


@dataclass(frozen=True, slots=True, repr=False)
class Look:
    """One document: everything found in it, and what would leave. `scrubbed` is None when all of it is refused."""

    issues: tuple[Issue, ...]
    scrubbed: Scrubbed | None

    @property
    def refuses(self) -> bool:
        """Say whether something in it would be refused."""
        return self.scrubbed is None or any(one.blocks for one in self.issues)


@dataclass(frozen=True, slots=True, repr=False)
class Rows:
    """Rows by physical table, in official column order, and what became of each stay."""

    tables: Mapping[str, Sequence[Row]]
    stays: tuple[StayOutcome, ...]


def look(content: bytes, bench: Bench, *, explain: bool = False, profiles: Sequence[str] = ()) -> Look:
    """Check one body and scrub it as the gateway would; `profiles` are canonicals to check besides."""
    try:
        parsed = parse(content, bench.limits)
    except Refused as refusal:
        return Look(with_positions(refusal.issues, content), None)
    verdict = bench.validator.validate(parsed, french_profiles=bench.contract.french_profiles, profiles=profiles)
    if verdict.valid is None:
        return Look(with_positions(verdict.issues, content), None)
    scrubbed = scrub(
        verdict.valid, contract=bench.contract, source=SOURCE, keys=bench.keys, rules=bench.rules, explain=explain
    )
    refused = [
        issue(code, parsed.entries[index].path, severity="error") for index, code in sorted(scrubbed.refused.items())
    ]
    issues = with_positions([*verdict.issues, *refused], content)
    return Look(issues, None if refused and parsed.all_or_nothing else scrubbed)


def rows_of(looks: Iterable[Look], bench: Bench) -> Rows:
    """Return the rows of everything that would leave, as the table writer computes them."""
    records = [Record(0, offset, event) for offset, event in enumerate(_events(looks, bench), 1)]
    if not records:
        return Rows({}, ())
    state = State(IN_MEMORY)
    try:
        planned = _plan(state, records, bench)
    finally:
        state.close()
    tables = {name: tuple(row for _, row in rows) for name, rows in sorted(planned.change.rows.items())}
    return Rows(tables, tuple(stay for one in planned.written for stay in one.rows.stays))


def _events(looks: Iterable[Look], bench: Bench) -> Iterable[Event]:
    received_at = datetime.now(UTC)
    for one in looks:
        received_at += timedelta(milliseconds=1)  # what comes later in a file is the later version
        for bundle in one.scrubbed.bundles if one.scrubbed is not None else ():
            yield event_of(
                bundle,
                ledger=bench.keys.ledger,
                received_at=received_at,
                definitions_version=bench.validator.definitions_version,
            )


def _plan(state: State, records: Sequence[Record], bench: Bench) -> Plan:
    finess = bench.contract.finess
    rules = RowRules(lambda asked: bench.contract if asked == finess else None, bench.table_keys)
    apply_batch(state, records, log_identity="preview", contracts=rules.contracts, flood=FloodGuard())
    dirty = state.dirty(EVERYONE)
    while True:
        with state.transaction() as connection:
            planned = plan(connection, dirty, rules=rules)
        if not planned.displaced:  # a stay gave its number to another: everybody is computed with the final numbers
            return planned
