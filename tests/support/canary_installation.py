"""An installation for canaries: guide, nomenclature, callers, folders of its own; all that it says or writes (P13)."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.support.canary_faults import FOREIGN, LIMITED, UNKNOWN, profiles
from tests.support.installation import Installation, snds_gateway

OTHER_FINESS = "690781810"
SETTINGS = """\
log_level = "debug"
max_body_bytes = 2097152
body_timeout_s = 300
nomenclatures = "{nomenclatures}"
"""
OPTIONS = ("--test-identities", "--french-profiles", "declared")
# What `$validate` may quote of a body (DESIGN §3): a code, a uri or an unknown name, at the end of a sentence.
QUOTED = re.compile(rb' \((?:\xc2\xab [^\xc2]{1,64} \xc2\xbb|\\?"[^"\\]{1,64}\\?")\)')


class CanaryInstallation(Installation):
    """Temporary files, home and callers of its own, a second hospital, and profiles with every kind of demand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "data", *OPTIONS)
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.environment = {"TMPDIR": str(self.temporary), "HOME": str(self.temporary)}
        self.run("profiles", "add", str(archive(folder / "made.tgz")))
        self.run("hospital", "add", "--finess", OTHER_FINESS, "--french-profiles", "declared")
        self.run("hospital", "add", "--finess", "750712184", "--source", "labo", "--scopes", "validate")
        nomenclatures = folder / "nomenclatures"
        nomenclatures.mkdir()
        (nomenclatures / "cim10.csv").write_text("code\nI10\n", encoding="utf-8")
        settings = self.data_dir / "gateway.toml"
        made = SETTINGS.format(nomenclatures=nomenclatures) + settings.read_text(encoding="utf-8")
        settings.write_text(made, encoding="utf-8")

    def run(self, command: str, *arguments: str, check: bool = True) -> bytes:
        """What a command says on both its outputs."""
        verb, rest = (arguments[:1], arguments[1:]) if command in GROUPS else ((), arguments)
        done = snds_gateway(command, *verb, "--data-dir", str(self.data_dir), *rest, check=check)
        return (done.stdout + done.stderr).encode()

    def callers(self) -> Mapping[str, httpx.Client]:
        """Who asks: the hospital, one without scopes, another hospital, nobody."""
        names = {"": "750712184", LIMITED: "750712184-labo", FOREIGN: OTHER_FINESS, UNKNOWN: "750712184"}
        return {who: self.client(name) for who, name in names.items()}

    def files(self) -> dict[str, bytes]:
        """Every file of the installation, keys too, its log, and what is left in its temporary folder."""
        folders = (self.data_dir, self.temporary)
        found = {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
        return found | {str(self.log): self.log.read_bytes()}

    def tables(self) -> dict[str, bytes]:
        """Every view of the lake as an analyst reads it."""
        names = [name for (name,) in self.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
        return {f"table {name}": repr(self.sql(f'SELECT * FROM "{name}"')).encode() for name in names}

    def processes(self) -> dict[str, bytes]:
        """Arguments and environment of its processes, and the files that they hold open outside the installation."""
        found: dict[str, bytes] = {}
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and _session(folder) == self.pid:
                    for name in ("cmdline", "environ"):
                        found[f"{name} {folder.name}"] = (folder / name).read_bytes()
                    found |= dict(_open_files(folder, self.data_dir.parent))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it has just ended
        return found


GROUPS = ("profiles", "hospital", "events", "deadletter", "quarantine", "quality", "audit", "rules", "reference")


def _session(folder: Path) -> int:
    return int((folder / "stat").read_text().rpartition(")")[2].split()[3])


def _open_files(folder: Path, installation: Path) -> Iterator[tuple[str, bytes]]:
    """Files without a name any more (deleted, memfd), and those outside the installation that are open for writing."""
    for link in (folder / "fd").iterdir():
        target, flags = str(link.readlink()), (folder / "fdinfo" / link.name).read_text()
        writes = int(flags.split("flags:")[1].split()[0], 8) & 3
        nameless = target.endswith("(deleted)") or target.startswith("/memfd:")
        if target.startswith("/") and link.is_file() and writes and (nameless or str(installation) not in target):
            yield f"open {target}", link.read_bytes()


def archive(path: Path) -> Path:
    """The guide of the test as a FHIR package."""
    listed: dict[str, Any] = {"package.json": {"name": "made", "version": "1.0.0", "fhirVersions": ["4.0.1"]}}
    listed |= {f"{number}.json": one for number, one in enumerate(profiles())}
    with tarfile.open(path, "w:gz") as package:
        for name, content in listed.items():
            written = json.dumps(content).encode()
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(written)
            package.addfile(entry, io.BytesIO(written))
    return path


def said(answer: httpx.Response) -> bytes:
    """What an answer says, headers too; without the quotations that `$validate` is allowed."""
    headers = repr(answer.headers).encode()
    if "$validate" not in answer.url.path:
        return answer.content + headers
    return unquoted(answer.content) + headers


def unquoted(content: bytes) -> bytes:
    """Texts without what they may quote."""
    return QUOTED.sub(b"", content)


def codes(answer: httpx.Response) -> set[str]:
    """The codes of every issue of an answer."""
    if not answer.headers.get("content-type", "").startswith("application/fhir+json"):
        return set()
    return {
        coding["code"]
        for issue in issues(orjson.loads(answer.content))
        for coding in issue.get("details", {}).get("coding", ())
    }


def issues(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("resourceType") == "OperationOutcome":
            yield from node["issue"]
        for value in node.values():
            yield from issues(value)
    elif isinstance(node, list):
        for value in node:
            yield from issues(value)
