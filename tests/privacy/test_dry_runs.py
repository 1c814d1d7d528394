"""A dry run shares no value with the log, nor with another dry run, and says so in each value (DESIGN §4)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import orjson
import pytest

from fhir_profiles.limits import Limits
from fhir_profiles.validator import load_validator
from gateway.house import Yardstick
from gateway.synthetic.bundles import workload
from gateway.workbench.analysis import analyse, bench_of
from tests.support.installation import COMMAND, Installation
from tests.support.scrubbed import TEST_CONTRACT, keys, scrubbed
from transformers.deidentify.keys import GatewayKeys, random_gateway_keys
from transformers.deidentify.rules import load_rules

CELL = re.compile(r"(?=.*[A-Za-z])(?!x+$)[A-Za-z0-9+/_=-]{17,64}")
VALUE = re.compile(rb'"([A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{43})"')


def pseudonyms(posted: bytes, with_keys: GatewayKeys) -> set[bytes]:
    result = scrubbed(orjson.loads(posted), contract=TEST_CONTRACT, with_keys=with_keys)
    return {value for bundle in result.bundles for value in VALUE.findall(bundle.body)}


def test_dry_runs_have_no_pseudonym_in_common_with_the_log_or_with_each_other() -> None:
    for posted in workload(5, 4):
        logged, first, second = (
            pseudonyms(posted, one) for one in (keys(), *(random_gateway_keys() for _ in range(2)))
        )

        assert len(logged) > 50
        assert len(logged) == len(first) == len(second)
        assert not logged & first
        assert not logged & second
        assert not first & second
        assert all(value.startswith(b"demo-") for value in first | second)
        assert not [value for value in logged if value.startswith(b"demo-")]


def test_the_same_keys_give_the_same_bytes() -> None:
    for posted in workload(6, 2):
        once, twice = (scrubbed(orjson.loads(posted), contract=TEST_CONTRACT) for _ in range(2))

        assert [(one.key, one.body, one.bundle_identity) for one in once.bundles] == [
            (one.key, one.body, one.bundle_identity) for one in twice.bundles
        ]


@pytest.mark.slow
def test_no_dry_run_shows_a_value_of_the_log_or_of_the_tables(tmp_path: Path) -> None:
    """The same bundle, taken in for good and then tried in every way, beside the installation and its keys."""
    [posted] = workload(5, 1)
    file = tmp_path / "posted.json"
    file.write_bytes(posted)
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    with installation.serving(), installation.client() as client:
        assert client.post("/fhir", content=posted).status_code == 200
        tried = {path: client.post(path, content=posted).content for path in DRY_ROUTES}
        installation.wait_idle()
        kept = values_of_tables(installation)
    events = said(installation, "events", "tail", "--format", "json")
    assert len(kept) > 5
    kept |= set(VALUE.findall(events))
    tried["deidentify"] = said(installation, "deidentify", str(file), "--explain")
    tried["convert"] = said(installation, "convert", str(file), "--format", "json")
    yardstick = Yardstick(Limits(), load_validator(), load_rules())
    bench = bench_of(TEST_CONTRACT, yardstick, "declared")
    tried["workbench"] = (
        repr((seen := analyse(posted, bench, language="fr")).leaving).encode() + repr(seen.tables).encode()
    )

    assert len(kept) > 60
    assert [name for name, shown in tried.items() for value in kept if value in shown] == []
    assert all(b"demo-" in tried[name] for name in tried if "validate" not in name)
    assert b"T_MCO" in tried["convert"]


DRY_ROUTES = ("/fhir/$validate", "/fhir/$de-identify", "/fhir/$de-identify?explain=true")


def values_of_tables(installation: Installation) -> set[bytes]:
    """Every value of a published row that is made from an identity."""
    names = [name for (name,) in installation.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
    cells = {cell for name in names for row in installation.sql(f'SELECT * FROM "{name}"') for cell in row}
    return {cell.encode() for cell in cells if isinstance(cell, str) and CELL.fullmatch(cell)}


def said(installation: Installation, *words: str) -> bytes:
    """What a command says where the installation is the one that commands find by themselves."""
    environment = os.environ | {"GATEWAY_DATA_DIR": str(installation.data_dir)}
    return subprocess.run([*COMMAND, *words], capture_output=True, env=environment, timeout=300, check=True).stdout
