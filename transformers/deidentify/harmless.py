"""What earlier scans of leaving bytes found harmless, whoever sent it: codes, names of elements, what stands between.

No date, no pseudonym, nothing of a suspect shape is kept. Bounded: forgotten as a whole when full. Names and numbers of
each bundle are compared with everything that is kept, so that nothing is passed over because it was seen before.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from transformers.deidentify.needles import Needles, fold

MOST = 1 << 14
TEACHING = 7
# One byte to one byte: letters in lower case, digits, and everything outside ASCII; the rest is a blank.
FOLDING = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() else 0x20 for byte in range(256)
).lower()  # fmt: skip


@dataclass(slots=True, repr=False)
class Seen:
    """What holds `parts` alone: `pieces` of encoded resources (a value, then its tail), `tails`.

    `words` and `texts` are those of the parts that are not published, folded.
    """

    pieces: set[bytes] = field(default_factory=set)
    tails: set[bytes] = field(default_factory=set)
    parts: set[bytes] = field(default_factory=set)
    words: set[bytes] = field(default_factory=set)
    texts: set[bytes] = field(default_factory=set)
    scans: int = 0

    def __repr__(self) -> str:
        return f"Seen(pieces={len(self.pieces)}, parts={len(self.parts)})"

    def has(self, needles: Needles) -> bool:
        """Say whether something of a bundle's names and numbers is among what was seen."""
        return not (self.words.isdisjoint(needles.words) and self.texts.isdisjoint(needles.numbers))

    def keep(self, parts: AbstractSet[bytes], published: AbstractSet[bytes]) -> None:
        """Keep harmless parts, of which some are published. Their words come first: another thread may look."""
        own = parts - published
        self.words.update(folded_words(own))
        self.texts.update(own, lowered(own))
        self.parts.update(parts)


class Harmless:
    """`seen` is taken once a scan: another thread may put a new one in its place when it is full."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = Seen()

    def learn(self, seen: Seen, pieces: Iterable[bytes], tails: Iterable[bytes], *, never: AbstractSet[bytes]) -> None:
        """Keep what holds nothing of `never` (all its other parts are kept already): tails, and now and then pieces."""
        seen.tails.update(one for one in tails if never.isdisjoint(one.split(b'"')))
        seen.scans += 1
        if seen.scans % TEACHING == 1:
            seen.pieces.update(one for one in pieces if never.isdisjoint(one.split(b'"')))
            if len(seen.pieces) + len(seen.tails) + len(seen.parts) > MOST:
                self.seen = Seen()


def lowered(strings: Iterable[bytes]) -> list[bytes]:
    """Return strings in lower case."""
    return b"\n".join(strings).lower().split(b"\n")


def folded_words(strings: Iterable[bytes]) -> list[bytes]:
    """Return the words of some strings without accents and case."""
    joined = b"\n".join(strings)
    plain = joined if joined.isascii() else fold(joined.decode("utf-8", "replace")).encode()
    return plain.translate(FOLDING).split()
