"""`init` and `hospital …`: an installation, contracts of hospitals, their API keys and unit tables.

Never shows a key: it says in which file (mode 0600) it stands.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway import agreements, contracts, credentials, settings
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.contracts import Hospitals, checked_switches, load_contracts, load_hospitals
from gateway.credentials import Credential, checked_finess, checked_scopes, checked_source
from gateway.files import READABLE_BY_GROUP, alone, write_whole
from gateway.units import read_units, unit_file
from transformers.contract import DEFAULT_POTENTIAL_IDENTIFIERS, Contract, FrenchProfiles, LegalForm
from transformers.deidentify.keys import create_keys

KEYS = "keys"
LONGEST_NAME = 80
FIRST_SCOPES = ("write", "validate", "rights", "operate")
GATEWAY_TOML = """# Settings of this installation: docs/configuration.md lists them all, with their defaults.
# A variable GATEWAY_NAME wins over a line here. Secrets never stand here, only the names of files that hold them.

# host = "127.0.0.1"
# port = 8080
# workers = 2
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person says of a hospital on the command line."""

    finess: str
    name: str = ""
    french_profiles: FrenchProfiles = "enforce"
    legal_form: LegalForm = "public"
    source: str = "main"
    test_identities: bool = False
    potential_identifiers: str | None = None

    def contract(self) -> Contract:
        """Return the contract. Raises Misconfigured."""
        if len(self.name) > LONGEST_NAME or not self.name.isprintable():
            raise Misconfigured("name-invalid", f"--name: one line of {LONGEST_NAME} characters at most")
        switches = DEFAULT_POTENTIAL_IDENTIFIERS
        if self.potential_identifiers is not None:
            switches = checked_switches(_words(self.potential_identifiers), "--potential-identifiers")
        return Contract(
            finess=checked_finess(self.finess, "--finess"),
            name=self.name,
            legal_form=self.legal_form,
            french_profiles=self.french_profiles,
            test=self.test_identities,
            potential_identifiers=switches,
        )


def init(data_dir: Path, terms: Terms, *, platform_key: Path | None = None) -> int:
    """Make an installation and say what is in it."""
    key = install(data_dir, terms, platform_key=platform_key)
    where = [
        (f"{data_dir}/{settings.FILE}", "settings"),
        (f"{data_dir}/{contracts.FILE}", f"the contract of {terms.finess}"),
        (f"{data_dir}/{KEYS}", "keys of 256 bits, mode 0400: back them up apart from the data"),
        (str(key), "the hospital's API key, mode 0600: give it, then remove it"),
    ]
    out = screen.console()
    out.print(screen.grid(None, ("made", "what"), where))
    out.print(f"[cyan]$ snds-gateway serve --data-dir {screen.escaped(str(data_dir))}[/cyan]", soft_wrap=True)
    return 0


def install(data_dir: Path, terms: Terms, *, platform_key: Path | None = None) -> Path:
    """Make settings, keys, the first contract and its API key; return the file of the API key."""
    contract, source = terms.contract(), checked_source(terms.source, "--source")
    with alone(data_dir):
        for name in (settings.FILE, contracts.FILE, credentials.FILE):
            if (data_dir / name).exists():
                raise Misconfigured("installation-exists", f"{data_dir / name} exists: nothing was changed")
        create_keys(data_dir / KEYS, contract.finess, platform_key=platform_key)
        write_whole(data_dir / settings.FILE, GATEWAY_TOML, mode=READABLE_BY_GROUP)
        agreements.append_contract(data_dir, contract)
        file = agreements.add_credential(
            data_dir, (), finess=contract.finess, source=source, scopes=frozenset(FIRST_SCOPES)
        )
    record(data_dir, "init", hospital=contract.finess, source=source)
    return file


def add(data_dir: Path, terms: Terms, *, scopes: str, platform_key: Path | None = None) -> int:
    """Add a hospital, or a source of a known one."""
    contract, source = terms.contract(), checked_source(terms.source, "--source")
    granted = checked_scopes(_words(scopes), "--scopes")
    with alone(data_dir):
        known = load_hospitals(data_dir)
        if any((one.finess, one.source) == (contract.finess, source) for one in known.credentials):
            raise Misconfigured("credential-exists", f"{contract.finess} {source} has a key: use hospital rotate-key")
        create_keys(data_dir / KEYS, contract.finess, platform_key=platform_key)
        if contract.finess not in known.contracts:
            agreements.append_contract(data_dir, contract)
        file = agreements.add_credential(
            data_dir, known.credentials, finess=contract.finess, source=source, scopes=granted
        )
    record(data_dir, "hospital add", hospital=contract.finess, source=source, scopes=scopes)
    _tell_key(file, contract.finess, source)
    if contract.finess in known.contracts:
        screen.console().print(f"[dim]the contract of {contract.finess} stays as it stands in {contracts.FILE}[/dim]")
    return 0


def rotate_key(data_dir: Path, finess: str, *, source: str, overlap_hours: float = 0) -> int:
    """Make a new API key for a source; the old one ends now, or after the overlap."""
    checked_finess(finess, "--finess")
    with alone(data_dir):
        listed = load_hospitals(data_dir).credentials
        if not any((one.finess, one.source) == (finess, source) for one in listed):
            raise Misconfigured("credential-missing", f"{finess} has no source {source}: see hospital list")
        until = contracts.now_utc().replace(microsecond=0) + timedelta(hours=overlap_hours) if overlap_hours else None
        file = agreements.rotate_credential(data_dir, listed, finess=finess, source=source, old_until=until)
    record(data_dir, "hospital rotate-key", hospital=finess, source=source)
    _tell_key(file, finess, source)
    return 0


def list_hospitals(data_dir: Path, *, as_json: bool) -> int:
    """Show contracts, sources and scopes; JSON: one line a hospital."""
    known = load_hospitals(data_dir)
    if as_json:
        for contract in known.contracts.values():
            screen.write_json(_described(contract, known))
        return 0
    out = screen.console()
    terms = [
        (one.finess, one.name, one.legal_form, one.french_profiles, one.test, len(one.units))
        for one in known.contracts.values()
    ]
    out.print(screen.grid("Contracts", ("FINESS", "name", "form", "FR Core", "test", "units"), terms, right="units"))
    keys = [
        (one.finess, one.source, " ".join(sorted(one.scopes)), one.key_id, _until(one)) for one in known.credentials
    ]
    out.print(screen.grid("API keys", ("FINESS", "source", "scopes", "begins with sgk_", "until"), keys))
    return 0


def units(data_dir: Path, finess: str, file: Path) -> int:
    """Load the unit table of a hospital."""
    number = load_units(data_dir, finess, file)
    screen.console().print(f"[green]✓[/green] {number} units of {finess}")
    return 0


def load_units(data_dir: Path, finess: str, file: Path) -> int:
    """Check a unit table and keep it; return how many units it has. Raises Misconfigured."""
    checked_finess(finess, "--finess")
    table = read_units(file)
    with alone(data_dir):
        if finess not in load_contracts(data_dir):
            raise Misconfigured("contract-missing", f"{finess} has no contract: use hospital add")
        write_whole(unit_file(data_dir, finess), file.read_text(encoding="utf-8-sig"), mode=READABLE_BY_GROUP)
    record(data_dir, "hospital units", hospital=finess, units=len(table))
    return len(table)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _tell_key(file: Path, finess: str, source: str) -> None:
    screen.console().print(
        f"[green]✓[/green] API key of {finess} ({source}) in [bold]{screen.escaped(os.fspath(file))}[/bold]",
        soft_wrap=True,
    )


def _until(one: Credential) -> str:
    return f"{one.expires:%Y-%m-%d %H:%M} UTC" if one.expires else ""


def _described(contract: Contract, known: Hospitals) -> dict[str, object]:
    return {
        "finess": contract.finess,
        "name": contract.name,
        "legal_form": contract.legal_form,
        "french_profiles": contract.french_profiles,
        "test": contract.test,
        "potential_identifiers": sorted(contract.potential_identifiers),
        "dp_rule": contract.dp_rule,
        "legal_basis": contract.legal_basis,
        "units": len(contract.units),
        "keys": [
            {
                "key_id": one.key_id,
                "source": one.source,
                "scopes": sorted(one.scopes),
                "expires": one.expires.isoformat() if one.expires else None,
            }
            for one in known.credentials
            if one.finess == contract.finess
        ],
    }
