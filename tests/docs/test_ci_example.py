"""The example for integrators' own CI runs as it stands in the guides: green on a right export, red on a wrong one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = re.compile(r"```python\n(# test_fhir\.py.*?)```", re.DOTALL)


@pytest.mark.parametrize("guide", ["integration.md", "integration-fr.md"])
def test_the_pytest_example_of_the_guide_tells_right_exports_from_wrong_ones(tmp_path: Path, guide: str) -> None:
    [example] = EXAMPLE.findall((DOCS / guide).read_text(encoding="utf-8"))
    (tmp_path / "test_fhir.py").write_text(example, encoding="utf-8")
    (tmp_path / "exports").mkdir()
    shutil.copy(DOCS / "examples" / "first-bundle.json", tmp_path / "exports" / "right.json")
    (tmp_path / "exports" / "wrong.json").write_text('{"resourceType": "Patient", "gender": "homme"}')

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_fhir.py"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # options of our run
    done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True)

    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "wrong.json:1 Patient.gender" in done.stdout
