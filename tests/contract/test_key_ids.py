"""Each event names the keys that its pseudonyms were made with: an id that tells when a key changed, and nothing of it.

`key-id` is `<platform>.<hospital>`, eight hexadecimal digits each, as docs/stream-contract.md says. Promise: P15, P24.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import orjson
import pytest

from gateway.cli.hospitals import Terms, install
from gateway.cli.key_rotation import rotate_platform
from streaming.event import Event, event_of
from tests.support.json_schema import violations
from tests.support.scrubbed import collection, encounter, ins, patient, scrubbed
from transformers.contract import Contract
from transformers.deidentify.keys import PLATFORM, RETIRED, hospital_file, load_gateway_keys, read_key
from transformers.deidentify.pseudonyms import Key, random_key

FINESS, OTHER = "750712184", "690781810"
SCHEMA = orjson.loads((files("streaming") / "schema" / "event-v1.json").read_bytes())
PAGE = Path(__file__).resolve().parents[2] / "docs" / "stream-contract.md"
NUMBER = "2850944153726"
SENT = collection(
    patient("p1", identifier=[ins(NUMBER + "54")]), encounter("e1"), patient("p2", birthDate="1990-01-01")
)
PSEUDONYM = re.compile(rb'"urn:snds-gateway:(?:psa|ano)","value":"([^"]+)')
SHOWN = 6  # bytes of a key in a row that no chance puts into an event


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    install(tmp_path / "data", Terms(FINESS))
    return tmp_path / "data" / "keys"


def events(keys_dir: Path, finess: str = FINESS) -> list[Event]:
    keys = load_gateway_keys(keys_dir, finess)
    made = scrubbed(SENT, contract=Contract(finess=finess), with_keys=keys)
    now = datetime(2024, 3, 6, 9, tzinfo=UTC)
    return [event_of(one, ledger=keys.ledger, received_at=now, definitions_version="x") for one in made.bundles]


def key_id(made: list[Event]) -> str:
    [found] = {one.headers["key-id"] for one in made}
    return found


def line(event: Event) -> dict[str, object]:
    value = orjson.loads(event.value)
    return {"offset": 1, "key": event.key, "headers": dict(event.headers), "value": value}


def pieces(secret: bytes) -> Iterator[bytes]:
    """Every few bytes of a key in a row, as anyone would write them."""
    for at in range(len(secret) - SHOWN + 1):
        part = secret[at : at + SHOWN]
        yield from (part, part.hex().encode(), part.hex().upper().encode(), b64encode(part), urlsafe_b64encode(part))


def test_every_event_names_the_platform_key_and_the_hospital_key_that_made_its_pseudonyms(keys_dir: Path) -> None:
    platform, hospital = (read_key(keys_dir / name) for name in (PLATFORM, hospital_file(FINESS)))

    made = events(keys_dir)

    assert len(made) == 2
    assert key_id(made) == f"{platform.key_id}.{hospital.key_id}"
    assert [list(violations(line(one), SCHEMA, SCHEMA)) for one in made] == [[], []]


def test_after_a_rotation_of_the_platform_key_its_id_is_another_and_that_of_the_hospital_is_not(keys_dir: Path) -> None:
    before = events(keys_dir)
    rotate_platform(keys_dir.parent, None)
    after = events(keys_dir)

    first, second = key_id(before).split("."), key_id(after).split(".")
    assert first[0] != second[0]
    assert first[1] == second[1]
    assert (
        keys_dir / RETIRED / f"platform-{first[0]}.key"
    ).is_file()  # the id of the key that old events were made with
    old, new = ({found for one in made for found in PSEUDONYM.findall(one.value)} for made in (before, after))
    assert len(old) == len(new) == 2  # psa and ano
    assert not old & new


def test_hospitals_of_one_platform_share_the_first_part_and_never_the_second(keys_dir: Path, tmp_path: Path) -> None:
    install(tmp_path / "other", Terms(OTHER), platform_key=keys_dir / PLATFORM)

    one, other = key_id(events(keys_dir)).split("."), key_id(events(tmp_path / "other" / "keys", OTHER)).split(".")

    assert one[0] == other[0]
    assert one[1] != other[1]


def test_nothing_of_a_key_stands_in_an_event(keys_dir: Path) -> None:
    secrets = [bytes.fromhex(path.read_text()) for path in sorted(keys_dir.glob("*.key"))]

    whole = b"".join(orjson.dumps(line(one)) for one in events(keys_dir))

    assert len(secrets) == 4
    assert not [at for at, secret in enumerate(secrets) if any(piece in whole for piece in pieces(secret))]


def test_an_id_is_no_part_of_its_key_and_one_bit_more_gives_another() -> None:
    ids = {}
    for number in range(256):
        secret = bytearray(bytes(range(32)))
        secret[number // 8] ^= 1 << number % 8
        ids[bytes(secret)] = Key(bytes(secret)).key_id

    assert len(set(ids.values())) == 256
    assert not [one for secret, one in ids.items() if one in secret.hex()]
    assert {len(one) for one in ids.values()} == {8}
    assert random_key().key_id != random_key().key_id


def test_the_contract_of_the_stream_says_what_key_id_is() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())

    assert SCHEMA["properties"]["headers"]["properties"]["key-id"]["pattern"] == "^[0-9a-f]{8}\\.[0-9a-f]{8}$"
    assert "`key-id` = `<platform>.<hospital>`" in text
    assert "keys rotate platform" in text
