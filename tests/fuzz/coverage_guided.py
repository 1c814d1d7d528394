"""atheris (libFuzzer, guided by coverage) on the parser or the validator (`make fuzz`): one JSON line of counts.

A document that raises or takes longer than any may ends it with exit 77 and the document in the folder it names.
atheris is in requirements-fuzz.lock, not among what the tests need: it has binaries for few machines.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import atheris
import orjson

with atheris.instrument_imports(include=["fhir_profiles"]):
    from fhir_profiles.validator import Validator

from tests.fuzz.judging import SECONDS, SEED, Stage, judged, parsed, rights
from tests.fuzz.mutator import harmed_json


def main() -> None:
    """Let libFuzzer change right documents until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--stage", choices=("parse", "validate"), default="parse")
    given = parser.parse_args()
    stage: Stage = parsed if given.stage == "parse" else judged(Validator.load())
    answers: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(rights()):
        (corpus / str(number)).write_bytes(content)

    end = time.monotonic() + given.seconds

    def one_document(content: bytes) -> None:
        answers[stage(content)] += 1
        if time.monotonic() > end:  # libFuzzer ends without a word to Python
            counts = {"documents": answers.total(), "kept": len(list(corpus.iterdir())), "answers": answers}
            print(json.dumps({"campaign": f"atheris {given.stage}", "seed": given.seed, **counts}), flush=True)
            shutil.rmtree(folder)
            os._exit(0)

    options = [f"-seed={given.seed}", f"-timeout={SECONDS}", f"-artifact_prefix={folder}/", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *options, "-verbosity=0", str(corpus)], one_document, custom_mutator=harmed)
    atheris.Fuzz()


def harmed(content: bytes, longest: int, seed: int) -> bytes:
    """Harm the values of what is JSON half of the times, its bytes the other half."""
    random = Random(seed)
    if random.random() < 0.5:
        try:
            return harmed_json(content, random)[:longest]
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass
    return bytes(atheris.Mutate(content, longest))


if __name__ == "__main__":
    main()
