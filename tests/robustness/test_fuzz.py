"""Damaged models never end the process: INTAGLIO_FUZZ_CASES says how many to try, INTAGLIO_FUZZ_FIRST from which on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).parent / "fuzz_worker.py"
CASES = int(os.environ.get("INTAGLIO_FUZZ_CASES", "60"))
FIRST = int(os.environ.get("INTAGLIO_FUZZ_FIRST", "0"))


def test_damaged_models_end_cleanly() -> None:
    command = [sys.executable, "-W", "ignore", str(WORKER), str(FIRST), str(CASES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120 + 3 * CASES, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == 0, f"not clean; see {WORKER.name} for how to run one case:\n{done.stdout}{done.stderr}"
