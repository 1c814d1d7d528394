"""The first value right of the wall, and what scrubbing says beside it.

A `DeidentifiedBundle` is built by `scrub` alone: the constructor asks for a token that only this package holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCRUB_TOKEN = object()

Former = tuple[str, str, str]
"""(`ano` or `psa`, value under a former platform key, value under the present one); a `psa` ends with `|twin rank`."""


@dataclass(frozen=True, slots=True, repr=False)
class DeidentifiedBundle:
    """One person's part of a posted bundle, pseudonymised.

    `key` is the event key: `person|<alias>`, `structure|FINESS` or `resource|<local id>`. `body` are the canonical
    (sorted-key, UTF-8 JSON) bytes of a FHIR Bundle of type `collection`. `bundle_identity` is the keyed hash of
    the posted bundle's identity ("" when it has none). `indices` are the posted entries that it carries. `former` says
    what the person was called under platform keys that were replaced: compared with the register, never published.
    """

    finess: str
    source: str
    key: str
    body: bytes
    bundle_identity: str
    indices: tuple[int, ...]
    rules_version: str
    key_id: str
    token: object
    former: tuple[Former, ...] = ()

    def __post_init__(self) -> None:
        if self.token is not SCRUB_TOKEN:
            raise TypeError("a DeidentifiedBundle is made by scrub() alone")

    def __repr__(self) -> str:
        return f"DeidentifiedBundle(entries={len(self.indices)}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class Scrubbed:
    """What `scrub` gives.

    `refused` maps entry indices to a code of the issue catalogue (`no-stable-identity`, `test-identity`,
    `modifier-extension-unknown`, `resource-type-unsupported`, `leak-suspected`). `dropped` counts what the rules
    left out, by rule path. `explained` is filled on request only: (entry index, element path, action, rule).
    """

    bundles: tuple[DeidentifiedBundle, ...]
    refused: Mapping[int, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    explained: tuple[tuple[int, str, str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Scrubbed(bundles={len(self.bundles)}, refused={len(self.refused)})"
