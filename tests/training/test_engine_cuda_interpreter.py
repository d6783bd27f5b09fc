"""The tests of the CUDA engine on a machine without a GPU: in Triton's interpreter, in a process of its own.

Triton decides how kernels run when it is loaded, so the variable has to be there before.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed")
HERE = Path(__file__).resolve().parent


def test_the_kernels_agree_in_the_interpreter() -> None:
    files = [str(HERE / name) for name in ("test_engine_cuda.py", "test_engine_cuda_parity.py")]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files]
    result = subprocess.run(
        command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert re.search(r"[1-9]\d* passed", result.stdout), result.stdout
