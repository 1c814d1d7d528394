"""An operator's act on the command line → one line in the audit trail: who (the user of the machine), what, on what."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from gateway.audit import AuditLog, audit_digest
from transformers.deidentify.keys import LEDGER, read_key

KEYS = "keys"


def record(data_dir: Path, action: str, **facts: str | int) -> None:
    """Write the act down, durably, in a chain of its own.

    A folder without the ledger key (a table writer's, a reader's) has no trail: its gateway does. Raises Misconfigured.
    """
    file = data_dir / KEYS / LEDGER
    if not file.exists():
        return
    log = AuditLog(data_dir, audit_digest(read_key(file)), f"command-{os.getpid()}")
    try:
        log.keep_now({"action": action, "user": _user(), **facts})
    finally:
        log.close_now()


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
