"""What goes wrong in a page is told by its kind and place: the text of an exception may quote what was dropped."""

from __future__ import annotations

import subprocess
import sys

CANARY = "zqcanarysilencexkwvj"
PROGRAM = f"""
import logging
from nicegui import app
from gateway.workbench.server import keep_quiet

keep_quiet("debug")

def broken(text):
    raise ValueError(text)

try:
    broken("{CANARY}")
except ValueError as error:
    app.handle_exception(error)
    for name in ("nicegui", "uvicorn.error", "engineio.server", "socketio.server", "asyncio"):
        logging.getLogger(name).exception("{CANARY}")
"""


def test_an_exception_in_a_page_is_told_by_kind_and_place_alone() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert CANARY not in done.stdout + done.stderr
    assert '"kind":"ValueError"' in done.stderr
