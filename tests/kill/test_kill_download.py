"""A download that is killed in the middle, by the command line, is gone on with by the same command."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from _exchange.digest import sha256_of_bytes
from tests.databacks.misbehaving_server import (
    ETAG,
    PROXY_VARIABLES,
    Behaviour,
    Exchange,
    names_in,
    serving,
)

REPOSITORY = Path(__file__).resolve().parents[2]
CONTENT = random.Random(7).randbytes(3 * 2**20 + 17)
PARTIAL = f".partial-{sha256_of_bytes(CONTENT)[:16]}"
DRIP = 2**15
DEADLINE_SECONDS = 60
PROGRAM = """
import sys
import _scripts.download as verb
from _databacks.manifest import Licence, Manifest, ManifestFile
from _exchange.command import execute

url, sha256, size, folder = sys.argv[1:]
licence = Licence("CC0-1.0", "https://example.org/licence", "Do what you like.")
file = ManifestFile("bytes", "bytes", "bytes.bin", sha256, int(size), True, url, "", "", licence, True)
verb.manifest = lambda: Manifest((file,), ())
sys.exit(execute(verb.Download, verb.run, ["bytes", "--to", folder]))
"""


def dripping(seconds: float) -> Behaviour:
    """Ranges, a little at a time."""

    def behave(exchange: Exchange) -> None:
        first = exchange.first_byte
        headers = {"Content-Length": len(CONTENT) - first, "ETag": ETAG}
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"
        exchange.answer(206 if first else 200, headers)
        for start in range(first, len(CONTENT), DRIP):
            exchange.wfile.write(CONTENT[start : start + DRIP])
            time.sleep(seconds)

    return behave


def start(address: str, folder: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name.lower() not in PROXY_VARIABLES}
    environment |= {"ANIME3D_PROGRESS": "off", "PYTHONPATH": str(REPOSITORY), "XDG_CACHE_HOME": str(folder.parent)}
    command = [sys.executable, "-c", PROGRAM, f"{address}/bytes.bin", sha256_of_bytes(CONTENT)]
    command += [str(len(CONTENT)), str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_bytes(path: Path, count: int) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while not path.exists() or path.stat().st_size < count:
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.002)


def test_killed_twice_and_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    sizes = []
    with serving(dripping(0.02)) as server:
        for count in (400_000, 1_500_000):
            process = start(server.address, folder)
            wait_for_bytes(folder / PARTIAL, count)
            process.kill()
            assert process.wait() == -signal.SIGKILL
            process.communicate()
            sizes.append((folder / PARTIAL).stat().st_size)
            assert "bytes.bin" not in names_in(folder)
            assert (folder / PARTIAL).read_bytes() == CONTENT[: sizes[-1]]
        server.behaviours = [dripping(0.0)]
        last = start(server.address, folder)
        assert last.communicate(timeout=DEADLINE_SECONDS)[0] == f"bytes: {folder / 'bytes.bin'}\n"
    assert names_in(folder) == ["bytes.bin"]
    assert (folder / "bytes.bin").read_bytes() == CONTENT
    assert [request.get("range") for request in server.requests] == [None, *(f"bytes={size}-" for size in sizes)]


def test_ctrl_c_keeps_what_came_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    with serving(dripping(0.02)) as server:
        process = start(server.address, folder)
        wait_for_bytes(folder / PARTIAL, 300_000)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=DEADLINE_SECONDS)[1]
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert (folder / PARTIAL).stat().st_size >= 300_000
    assert "bytes.bin" not in names_in(folder)


@pytest.mark.parametrize("kill_the_first", [False, True])
def test_a_second_process_waits_for_the_first(tmp_path: Path, kill_the_first: bool) -> None:
    """It finds the file when the first one is done, and goes on where a killed one stopped."""
    folder = tmp_path / "weights"
    with serving(dripping(0.02), dripping(0.0)) as server:
        first = start(server.address, folder)
        wait_for_bytes(folder / PARTIAL, 200_000)
        second = start(server.address, folder)
        if kill_the_first:
            time.sleep(0.5)  # the second one may wait by now; the outcome is the same when it does not
            first.kill()
        assert second.communicate(timeout=DEADLINE_SECONDS)[0] == f"bytes: {folder / 'bytes.bin'}\n"
        first.communicate(timeout=DEADLINE_SECONDS)
    assert first.returncode == (-signal.SIGKILL if kill_the_first else 0)
    assert names_in(folder) == ["bytes.bin"]
    assert (folder / "bytes.bin").read_bytes() == CONTENT
    assert len(server.requests) == 1 + kill_the_first
