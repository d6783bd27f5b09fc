"""The verb `convert`: what it writes, prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from _exchange.command import execute
from _scripts.convert import Convert, run
from tests.torch_utils.checkpoint_files import Gain, Network, snapshot_bytes


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch) -> dict[str, torch.nn.Module]:
    """The modules of ``in.pkl`` in the working folder."""
    monkeypatch.chdir(tmp_path)
    modules = {"G": Network(), "D": Gain(3, 1), "G_ema": Network(z_dim=4)}
    (tmp_path / "in.pkl").write_bytes(snapshot_bytes(**modules))
    return modules


@pytest.mark.parametrize("name", [None, "G", "D", "G_ema"])
def test_it_writes_the_tensors_of_the_module_asked_for(name: str | None, snapshot) -> None:
    option = [] if name is None else ["--module", name]
    assert execute(Convert, run, ["in.pkl", "out.safetensors", *option]) == 0
    expected, found = snapshot[name or "G_ema"].state_dict(), load_file("out.safetensors")
    assert set(found) == set(expected)
    assert all(torch.equal(found[key], tensor) and found[key].dtype == tensor.dtype for key, tensor in expected.items())


def test_it_shows_modules_tensors_numbers_and_bytes(snapshot, capsys) -> None:
    assert execute(Convert, run, ["in.pkl", "out.safetensors"]) == 0
    text = capsys.readouterr().out
    rows = [line.split() for line in text.splitlines()]
    assert rows[0] == ["module", "class", "tensors", "numbers", "bytes"]
    assert rows[2] == ["D", "Gain", "3", "26", "104"]  # 3×3 weights, a scalar, 4×4 filter; float32
    assert text.endswith("G_ema is in out.safetensors\n")


def test_it_says_the_same_to_programs(snapshot, capsys) -> None:
    assert execute(Convert, run, ["in.pkl", "out.safetensors", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["kind"], answer["written"], answer["file"]) == ("snapshot", "G_ema", "out.safetensors")
    assert [row["module"] for row in answer["modules"]] == ["G", "D", "G_ema"]
    assert answer["modules"][1] == {"module": "D", "class": "Gain", "tensors": 3, "numbers": 26, "bytes": 104}


def test_converting_again_gives_the_same_bytes(snapshot) -> None:
    assert execute(Convert, run, ["in.pkl", "a.safetensors"]) == 0
    assert execute(Convert, run, ["a.safetensors", "b.safetensors"]) == 0
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("in.pkl", "out.pkl"), "named *.safetensors"),
        (("none.pkl", "out.safetensors"), "found no file"),
        (("in.pkl", "out.safetensors", "--module", "E"), "a module named E, found G, D, G_ema"),
        ((".", "out.safetensors"), "a regular file"),
        (("in.pkl", "in.pkl/out.safetensors"), "expected to read or write"),
    ],
)
def test_wrong_requests_are_refused_and_leave_nothing(arguments: tuple, sentence: str, snapshot, capsys) -> None:
    assert execute(Convert, run, list(arguments)) == 2
    error = capsys.readouterr().err
    assert sentence.lower() in error.lower()
    assert error.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["in.pkl"]


def test_a_file_is_never_its_own_target(snapshot, capsys) -> None:
    assert execute(Convert, run, ["in.pkl", "a.safetensors"]) == 0
    before = Path("a.safetensors").read_bytes()
    assert execute(Convert, run, ["a.safetensors", "./a.safetensors"]) == 2
    assert Path("a.safetensors").read_bytes() == before
    assert "another file" in capsys.readouterr().err
