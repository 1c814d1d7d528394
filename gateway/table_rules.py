"""D → what rows are computed with: contracts, the key of the tables, the operator's reference data."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from gateway.agreed import Agreed
from streaming.conversion import Rules
from streaming.reference_store import read_reference
from transformers.deidentify.keys import load_table_keys
from transformers.snds.person import person_rows

KEYS = "keys"


def table_rules(data_dir: Path) -> Rules:
    """Read them. Raises Misconfigured."""
    return Rules(
        contracts=Agreed(data_dir),
        pseudonyms=load_table_keys(data_dir / KEYS),
        convert=partial(person_rows, reference=read_reference(data_dir)),
    )
