"""One line of a campaign → the promises that it broke: those that hold anywhere, and the bounds of a quiet machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ANSWER_WITHIN_S = 11.0
FIRST_SUCCESS_WITHIN_S = 10.0
HEALTH_WITHIN_S = 5.0
STOP_WITHIN_S = 10.0
CATCH_UP_AT_LEAST_S = 10.0  # a kill lasts no time: its outage is the restart


def broken_promises(line: Mapping[str, Any]) -> list[str]:
    """Return what a run lost, doubled, misjudged or answered wrongly; times do not matter."""
    accounts = line["accounts"]
    events = accounts["applied"] + accounts["duplicates"] + accounts["dead_letters"]
    found = {
        "P1 P3 P6: tables differ from the run without a fault": not line["same_tables"],
        "P1: a receipt whose events are not in the log": line["receipts_not_in_log"] > 0,
        "P2: a 5xx that is not 503": any(one.startswith("5") and one != "503" for one in line["statuses"]),
        "P2: a refusal without Retry-After": line["without_retry_after"] > 0,
        "P7: a wrong bundle accepted or a right one refused": line["misjudged"] > 0,
        "P9: bundles without an answer": line["left"] > 0,
        "P9: lag left": accounts["lag"] > 0,
        "P10: dead letters": accounts["dead_letters"] > 0,
        "accounts do not close": accounts["events"] != events,
        "P11: a stop that did not end with 0": any(
            one["stops"]["codes"] != [0] for one in line["faults"] if one["stops"]
        ),
    }
    return [promise for promise, broken in found.items() if broken]


def missed_bounds(line: Mapping[str, Any]) -> list[str]:
    """Return the times that were longer than promised: figures of the machine as much as of the product."""
    found = ["P2: an answer after 11 s"] if line["slowest_s"] > ANSWER_WITHIN_S else []
    for one in line["faults"]:
        outage = max(one["outage_s"], CATCH_UP_AT_LEAST_S)
        bounds = {
            "P9: first 2xx after 10 s": one["first_success_s"] > FIRST_SUCCESS_WITHIN_S,
            "P9: catching up took longer than the outage": one["caught_up_s"] > outage,
            "P12: ready 5 s into the fault": (one["ready_until_s"] or 0) > HEALTH_WITHIN_S,
            "P12: not ready 5 s after it": one["ready_again_s"] > HEALTH_WITHIN_S,
            "P11: a stop of more than 10 s": one["stops"] is not None and one["stops"]["slowest_s"] > STOP_WITHIN_S,
        }
        found += [f"{promise} ({one['fault']})" for promise, missed in bounds.items() if missed]
    return sorted(set(found))
