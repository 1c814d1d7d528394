"""What a rare case is, and what its makers share: a stay of two units, a resource of a bundle. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from gateway.synthetic.bundles import entry, stay_bundle
from gateway.synthetic.dice import Span
from gateway.synthetic.elements import Json
from gateway.synthetic.plan import Stay, plan_kind
from gateway.synthetic.scene import Hospital, make_scene

A_CASE = 10
LONG = Span(34, 38)


@dataclass(frozen=True, slots=True)
class RareCase:
    """What was planted: one bundle a stay; `reason` is why its stays are in quarantine, `counter` what counts them.

    `gives` counts what the tables hold of it beside its stays (`boxes`, `fees`, `organ_donors`…).
    """

    kind: str
    stays: tuple[Stay, ...]
    bundles: tuple[Json, ...]
    reason: str | None = None
    counter: str | None = None
    gives: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


Maker = Callable[[int, Hospital, int], RareCase]


def two_unit_stay(seed: int, index: int) -> Stay:
    """Return a stay that is long enough to have gone through two units."""
    tries = (plan_kind(seed, index + turn, "multi-unit") for turn in range(A_CASE))
    return next(stay for stay in tries if len(stay.units) > 1)


def with_more(seed: int, hospital: Hospital, stay: Stay, *more: Json) -> Json:
    """Return the bundle of a stay, long enough to hold each kind of clinical event, with more resources at its end."""
    scene, bundle = make_scene(seed, hospital, stay), stay_bundle(seed, hospital, stay, resources=LONG)
    return {**bundle, "entry": [*bundle["entry"], *(entry(scene, one) for one in more)]}


def is_a(resource: Json, kind: str) -> bool:
    """Say whether a resource is of a type."""
    return bool(resource["resourceType"] == kind)


def resource_of(bundle: Json, kind: str, name: str | None = None) -> Json:
    """Return the first resource of a type in a bundle, or the one of that id."""
    listed = (one["resource"] for one in bundle["entry"])
    return cast("Json", next(one for one in listed if is_a(one, kind) and name in (None, one["id"])))
