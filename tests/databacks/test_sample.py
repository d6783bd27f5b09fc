"""The sample set: real VRM files in a folder, prepared like any other."""

from __future__ import annotations

import json

import pytest

from _databacks.characters import GENERATOR_VERSION
from _databacks.characters.sample_set import SAMPLE_SEEDS, sample_name
from _databacks.dataset import open_dataset
from _databacks.prepare import PrepareConfig
from _databacks.sample import prepare_sample, write_sample_characters


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


def test_one_sample_character_becomes_an_item(tmp_path):
    config = PrepareConfig(
        source=tmp_path / "source", out=tmp_path, kinds=("ortho",), backend="cpu", workers=1, limit=1
    )
    result = prepare_sample(config)
    assert (result.total, result.drawn, result.failed) == (1, 1, 0)
    dataset = open_dataset(tmp_path)
    (item,) = dataset.items()
    assert str(item) == f"sample/{sample_name(SAMPLE_SEEDS[0])}"
    alpha = dataset.method_input(item).portrait[..., 3]
    assert (alpha[256, 246:266] > 127).all()  # a head stands in the middle
    assert prepare_sample(config).drawn == 0


def test_characters_are_written_once_per_generator_version(tmp_path):
    write_sample_characters(tmp_path, limit=1)
    path = tmp_path / f"sample/{sample_name(SAMPLE_SEEDS[0])}.vrm"
    content, written = path.read_bytes(), path.stat().st_mtime_ns
    (tmp_path / "sample/character_other.vrm").write_bytes(content)
    write_sample_characters(tmp_path, limit=1)
    assert path.stat().st_mtime_ns == written
    assert [file.name for file in (tmp_path / "sample").iterdir()] == [path.name]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["generator_version"] == GENERATOR_VERSION
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"generator_version": "0"}))
    write_sample_characters(tmp_path, limit=1)
    assert path.stat().st_mtime_ns > written
    assert path.read_bytes() == content
