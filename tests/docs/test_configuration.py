"""docs/configuration.md says every setting and every term of a contract, as the code reads them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from gateway.contracts import load_contracts, terms_of_contracts
from gateway.credentials import SCOPES
from gateway.settings import Settings, documented, load_settings
from scripts.build_configuration_docs import document
from transformers.contract import POTENTIAL_IDENTIFIERS, Contract

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_tables_of_settings_are_what_the_code_reads() -> None:
    assert document() == PAGE
    assert all(f"| `{name}` | `GATEWAY_{name.upper()}` |" in PAGE for name in documented())


def test_every_term_of_a_contract_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", PAGE.split("## Contracts")[1], re.MULTILINE))
    defaults = {name: getattr(Contract("750712184"), name) for name in terms_of_contracts()}

    assert set(rows) == set(defaults)
    for name in ("legal_form", "french_profiles", "dp_rule", "legal_basis"):
        assert rows[name] == f"`{defaults[name]}`"
    assert all(f"`{word}`" in PAGE for word in (*POTENTIAL_IDENTIFIERS, *SCOPES))


def test_the_example_of_a_contract_is_a_contract(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    (tmp_path / "hospitals.toml").write_text(example[1], encoding="utf-8")

    assert load_contracts(tmp_path)["750712184"].name == "CHU Fictif"


def test_variables_of_the_compose_file_are_settings() -> None:
    text = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
    names = set(re.findall(r"^\s+(GATEWAY_[A-Z_]+):", text, re.MULTILINE)) - {"GATEWAY_DATA_DIR"}

    assert names
    assert {name.removeprefix("GATEWAY_").lower() for name in names} <= set(documented())


def test_the_file_that_init_writes_names_only_settings(tmp_path: Path) -> None:
    from gateway.cli.hospitals import GATEWAY_TOML

    commented = "\n".join(re.findall(r"^# (\w+ = .*)$", GATEWAY_TOML, re.MULTILINE))
    (tmp_path / "gateway.toml").write_text(commented, encoding="utf-8")

    assert tomllib.loads(commented)
    assert load_settings(tmp_path, {}) == Settings(tmp_path)
