"""What a column means is told to an analyst in French."""

from __future__ import annotations

import re

from transformers.snds.lineage import Meaning, in_french, meanings
from transformers.snds.schema import packaged

WORDS = re.compile(r"[a-z]{3,} [a-z]{2,}")  # two words of a sentence; paths and codes have none


def test_every_meaning_that_is_a_sentence_has_a_french_one() -> None:
    told = {text for meaning in meanings().values() for text in meaning if WORDS.search(text)}

    assert len(told) > 100
    assert sorted(text for text in told if in_french(Meaning(text)).elements == text) == []


def test_no_french_text_is_left_of_a_meaning_that_is_gone() -> None:
    told = {text for meaning in meanings().values() for text in meaning}
    translated = [line.split("\t")[0] for line in packaged("lineage_fr.tsv").splitlines()[1:]]

    assert [text for text in translated if text not in told] == []
