"""Key files → keys in memory: 64 hexadecimal characters, mode 0400, one file a key (DESIGN §4).

A key that is missing, short, weak, published, shared or readable by others is `Misconfigured`: nothing starts.
No message shows any part of a key. Promise: P16.
"""

from __future__ import annotations

import itertools
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from transformers.deidentify.pseudonyms import HospitalKey, Key, LedgerKey, PlatformKey, TableKeys, random_key

PLATFORM = "platform.key"
LEDGER = "ledger.key"
TABLES = "tables.key"
RETIRED = "retired"
FORMER_PLATFORM = "platform-{}.key"
KEY_BYTES = 32
MINIMUM_DISTINCT = 16
MAXIMUM_FILE_BYTES = 200

# Keys that stand in standards, manuals and our own known-answer tests: whoever finds one here knows it.
PUBLISHED = frozenset(
    bytes.fromhex(text)
    for text in (
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",  # NIST, RFC 5869
        "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",  # RFC 4231, continued
        "0102030405060708090a0b0c0d0e0f1011121314151617181900000000000000",  # RFC 4231 case 4, padded
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b000000000000000000000000",  # RFC 4231 case 1, padded
        "4a65666500000000000000000000000000000000000000000000000000000000",  # RFC 4231 case 2, padded
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",  # RFC 8439
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",  # NIST SP 800-38A
        "8ba1d23f0c57e46972b5f6180394cdae5b17f08c6dd2394ea0c17be65f83290d",  # tests of this product
        "1f6e0b9ac4d35782e90d47b16ac82f53bd7e0419f8a6c35d2b90e4716f8ad23c",  # tests of this product
    )
)


@dataclass(frozen=True, slots=True)
class GatewayKeys:
    """What a gateway holds for one hospital: level 1, local values, ledger. `repr` shows ids only.

    `former` are platform keys that were replaced: for the register alone, which knows persons by them.
    """

    platform: PlatformKey
    hospital: HospitalKey
    ledger: LedgerKey
    former: tuple[PlatformKey, ...] = ()

    def __repr__(self) -> str:
        return f"GatewayKeys({self.key_id})"

    @property
    def key_id(self) -> str:
        """Return what events carry: the ids of the keys that made their pseudonyms."""
        return f"{self.platform.key_id}.{self.hospital.key_id}"


def hospital_file(finess: str) -> str:
    """Return the name of a hospital's key file."""
    return f"hospital-{finess}.key"


def load_gateway_keys(folder: Path, finess: str) -> GatewayKeys:
    """Read the three keys of a gateway, and the platform keys that were replaced. Raises Misconfigured."""
    platform, hospital, ledger = _distinct(folder, (PLATFORM, hospital_file(finess), LEDGER))
    former = tuple(PlatformKey(key) for key in former_platform_keys(folder) if key != platform)
    return GatewayKeys(PlatformKey(platform), HospitalKey(hospital, finess), LedgerKey(ledger), former)


def former_platform_keys(folder: Path) -> tuple[Key, ...]:
    """Return the platform keys that were replaced, in the order of their files' names. Raises Misconfigured."""
    return tuple(read_key(path) for path in sorted((folder / RETIRED).glob(FORMER_PLATFORM.format("*"))))


def load_table_keys(folder: Path) -> TableKeys:
    """Read the key of a table writer. Raises Misconfigured."""
    (tables,) = _distinct(folder, (TABLES,))
    return TableKeys(tables)


def random_gateway_keys() -> GatewayKeys:
    """Make keys for one dry run: what they give begins with `demo-` and joins with nothing."""
    return GatewayKeys(
        PlatformKey(random_key(demo=True)), HospitalKey(random_key(demo=True)), LedgerKey(random_key(demo=True))
    )


def random_table_keys() -> TableKeys:
    """Make the table key of one dry run: its NIR_ANO_17 begin with `DEMO`."""
    return TableKeys(random_key(demo=True))


def create_keys(folder: Path, finess: str, *, platform_key: Path | None = None) -> tuple[str, ...]:
    """Make the keys that are missing and return the names of the files made; nothing is ever overwritten.

    `platform_key` is the file that the platform gave: copied, or compared when `platform.key` exists.
    """
    given = read_key(platform_key) if platform_key is not None else None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if given is not None and (folder / PLATFORM).exists() and read_key(folder / PLATFORM) != given:
        raise Misconfigured("key-differs", f"{PLATFORM} exists and is another key than the one given")
    made = []
    for name in (PLATFORM, hospital_file(finess), LEDGER, TABLES):
        if (folder / name).exists():
            continue
        if name == PLATFORM and platform_key is not None:
            _write(folder / name, platform_key.read_text(encoding="ascii").strip().lower())
        else:
            _write(folder / name, secrets.token_hex(KEY_BYTES))
        made.append(name)
    _distinct(folder, (PLATFORM, hospital_file(finess), LEDGER, TABLES))
    return tuple(made)


def check_keys(folder: Path) -> dict[str, str]:
    """Check every key file of a folder; return the key id by file name. Raises Misconfigured."""
    names = tuple(sorted(path.name for path in folder.glob("*.key")))
    if not names:
        raise Misconfigured("key-missing", f"no *.key in {folder.name}")
    return {name: key.key_id for name, key in zip(names, _distinct(folder, names), strict=True)}


def read_key(path: Path) -> Key:
    """Read and check one key file. Raises Misconfigured, which names the file and never shows its content."""
    return Key(_checked(path.name, _content(path)))


def _content(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Misconfigured("key-missing", f"{path.name} does not exist") from None
    except OSError:
        raise Misconfigured("key-unreadable", f"{path.name} cannot be opened") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Misconfigured("key-unreadable", f"{path.name} is not a file")
        if status.st_mode & 0o077:
            raise Misconfigured(
                "key-readable-by-others", f"{path.name} has mode {status.st_mode & 0o777:04o}: set 0400"
            )
        if status.st_uid not in (os.geteuid(), 0):
            raise Misconfigured("key-of-another-user", f"{path.name} belongs to another user")
        return os.read(descriptor, MAXIMUM_FILE_BYTES)
    finally:
        os.close(descriptor)


def _checked(name: str, content: bytes) -> bytes:
    try:
        text = content.decode("ascii").strip()
        secret = bytes.fromhex(text) if " " not in text else b""
    except ValueError:
        raise Misconfigured("key-malformed", f"{name} is not hexadecimal: 64 characters are expected") from None
    if len(secret) != KEY_BYTES or len(text) != 2 * KEY_BYTES:
        raise Misconfigured("key-malformed", f"{name} does not hold 64 hexadecimal characters (256 bits)")
    if secret in PUBLISHED:
        raise Misconfigured("key-published", f"{name} is a key that stands in public documents")
    if is_weak(secret):
        raise Misconfigured("key-weak", f"{name} is not random: make it with `openssl rand -hex 32`")
    return secret


def is_weak(secret: bytes) -> bool:
    """Say whether 32 bytes are visibly not random: few values, a period, a progression, printable text.

    A random key fails with a probability below 10⁻⁹.
    """
    steps = {(after - before) % 256 for before, after in itertools.pairwise(secret)}
    return (
        len(set(secret)) < MINIMUM_DISTINCT
        or len(steps) < MINIMUM_DISTINCT // 2
        or any(secret[:period] * (KEY_BYTES // period) == secret for period in (1, 2, 4, 8, 16))
        or all(0x20 <= byte < 0x7F for byte in secret)
    )


def _distinct(folder: Path, names: tuple[str, ...]) -> tuple[Key, ...]:
    """Read the named keys and refuse any that another purpose of the folder shares."""
    keys = {name: read_key(folder / name) for name in names}
    others = sorted(path.name for path in folder.glob("*.key") if path.name not in keys)
    seen: dict[str, tuple[str, Key]] = {}
    for name in (*names, *others):
        try:
            key = keys.get(name) or read_key(folder / name)
        except Misconfigured:
            continue  # not ours to use; its own reader refuses it
        if key.key_id in seen and seen[key.key_id][1] == key:
            raise Misconfigured("key-shared", f"{seen[key.key_id][0]} and {name} are the same key")
        seen[key.key_id] = (name, key)
    return tuple(keys[name] for name in names)


def _write(path: Path, text: str) -> None:
    """Write a new file with mode 0400, durable and whole or not at all; an existing file stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
