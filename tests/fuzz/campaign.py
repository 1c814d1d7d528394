"""Harmed documents for so many seconds (`make fuzz SECONDS=300`): one JSON line of counts. Promises: P20, P21.

A document that raises, hangs or is judged in two ways ends it with the number of the document, which finds it again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import Counter

from fhir_profiles.validator import Validator
from tests.fuzz.judging import SEED, Stage, judged, parsed, rights, run
from tests.fuzz.mutator import documents


def main() -> int:
    """Harm documents until the time is over; exit 1 on the first that is not answered as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--start", type=int, default=0, help="number of the first document")
    parser.add_argument("--stage", choices=("parse", "validate"), default="parse")
    given = parser.parse_args()
    stage: Stage = parsed if given.stage == "parse" else judged(Validator.load())
    counts: Counter[str] = Counter()
    end = time.monotonic() + given.seconds
    try:
        for _ in itertools.takewhile(
            lambda _: time.monotonic() < end,
            run(stage, documents(rights(), seed=given.seed, start=given.start), counts),
        ):
            pass
    except BaseException:
        print(f"document {given.start + counts.total()} of seed {given.seed}", file=sys.stderr)
        raise
    line = {"campaign": f"fuzz {given.stage}", "seed": given.seed, "documents": counts.total(), "answers": counts}
    print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
