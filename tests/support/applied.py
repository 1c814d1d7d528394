"""An installation made by `init`: resources are de-identified with its own keys and applied by its table writer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.values import ValidBundle
from gateway.access import KEYS, Access
from streaming.broker import Counts
from streaming.conversion import Rules
from streaming.embedded_log import EmbeddedConsumer, EmbeddedLog
from streaming.table_writer import TableWriter
from tests.support.made_events import raw_event
from transformers.deidentify.keys import load_gateway_keys, load_table_keys
from transformers.deidentify.rules import load_rules
from transformers.deidentify.scrub import scrub

Json = dict[str, Any]


def transaction(*resources: Json) -> bytes:
    """Return a transaction of PUT entries."""
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def apply(data_dir: Path, finess: str, *resources: Json) -> None:
    """De-identify resources, publish them, write their rows and publish the lake."""
    contract = Access(data_dir).contract(finess)
    assert contract is not None
    parsed = parse(transaction(*resources), Limits())
    valid = ValidBundle(parsed, tuple(range(len(parsed.entries))))
    keys = load_gateway_keys(data_dir / KEYS, finess)
    scrubbed = scrub(valid, contract=contract, source="main", keys=keys, rules=load_rules())
    assert not scrubbed.refused
    log = EmbeddedLog(data_dir / "events.sqlite")
    asyncio.run(log.publish([raw_event(one.body) for one in scrubbed.bundles], Counts(finess)))
    log.close_now()
    consumer = EmbeddedConsumer(data_dir / "events.sqlite")
    rules = Rules(contracts=lambda _: contract, pseudonyms=load_table_keys(data_dir / KEYS))
    writer = TableWriter(data_dir, consumer=consumer, rules=rules)
    try:
        writer.drain()
    finally:
        writer.close()
        consumer.close()
