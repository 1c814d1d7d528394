"""A dry run shares no value with the log, nor with another dry run, and says so in each value (DESIGN §4)."""

from __future__ import annotations

import re

import orjson

from gateway.synthetic.bundles import workload
from tests.support.scrubbed import TEST_CONTRACT, keys, scrubbed
from transformers.deidentify.keys import GatewayKeys, random_gateway_keys

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
