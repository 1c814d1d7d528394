"""Contracts, credentials and keys as they are now: read at start, read again when their files change.

What cannot be read leaves the old ones in force and says so in the log: a slip of an operator locks nobody out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway import clients, contracts, credentials, logs, units
from gateway.clients import Clients, load_clients
from gateway.contract_history import keep_version
from gateway.contracts import Hospitals, load_hospitals
from gateway.files import Versions, versions_of
from transformers.contract import Contract
from transformers.deidentify.keys import PLATFORM, GatewayKeys, load_gateway_keys

KEYS = "keys"


class Access:
    """Who may call, under which contract, with which keys."""

    def __init__(self, data_dir: Path) -> None:
        """Read everything. Raises Misconfigured."""
        self._data_dir = data_dir
        self._seen = self._look()
        self._known = self._load()

    @property
    def hospitals(self) -> Hospitals:
        """Return contracts and API keys."""
        return self._known[0]

    @property
    def keys(self) -> Mapping[str, GatewayKeys]:
        """Return the keys of pseudonyms, by FINESS."""
        return self._known[1]

    @property
    def clients(self) -> Clients:
        """Return SMART clients and certificates."""
        return self._known[2]

    def contract(self, finess: str) -> Contract | None:
        """Return the contract of a hospital, None for one that the platform does not know."""
        return self.hospitals.contracts.get(finess)

    def refresh(self) -> None:
        """Read again what has changed since the last time."""
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._known = self._load()  # at once: no request sees new contracts with old keys
        except Misconfigured as error:
            logs.logger().error("contracts-kept", code=error.code, detail=error.detail)
        else:
            logs.logger().info("contracts-read", hospitals=len(self.hospitals.contracts))

    def _load(self) -> tuple[Hospitals, Mapping[str, GatewayKeys], Clients]:
        hospitals = load_hospitals(self._data_dir)
        keys = {one: load_gateway_keys(self._data_dir / KEYS, one) for one in hospitals.contracts}
        known = load_clients(self._data_dir, hospitals.contracts)
        keep_version(self._data_dir)
        return hospitals, keys, known

    def _look(self) -> Versions:
        """Look at each file that says who may call, and at the key that is replaced."""
        paths = [self._data_dir / contracts.FILE, self._data_dir / credentials.FILE, self._data_dir / KEYS / PLATFORM]
        return versions_of([*paths, *clients.files_of(self._data_dir), *units.files_of(self._data_dir)])
