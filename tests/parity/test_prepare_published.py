"""`prepare` on a published set draws from its raw characters the pictures that the original renderer drew of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from _databacks.dataset import open_dataset
from _databacks.prepare import PrepareConfig, prepare
from tests.parity.fixtures import measure_files
from tests.parity.render_acceptance import agreement


@pytest.mark.parametrize("root", measure_files("e2e*/_data/lustrous"))
def test_pictures_drawn_anew_pass_acceptance(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")
    for folder in ("raw", "subsets"):
        shutil.copytree(root / folder, tmp_path / folder, copy_function=shutil.copyfile)
    renderset = open_dataset(root).renderset
    kinds = ("ortho", "rgb60_spin12")
    config = PrepareConfig(
        source=tmp_path, renderset=renderset, kinds=kinds, backend="cpu", texture_filter="mesa", workers=1
    )
    assert prepare(config).failed == 0
    found = {}
    for recorded in sorted((root / "renders" / renderset).glob("*/*/*/*.png")):
        name = recorded.relative_to(root)
        kind = name.parts[2]
        if kind in ("ortho", "rgb60"):
            drawn, expected = (np.asarray(Image.open(path)) for path in (tmp_path / name, recorded))
            found[str(name)] = agreement(kind, drawn, expected)
    assert found
    if max(agreed.silhouette_iou for agreed in found.values()) < 0.9:
        pytest.skip(f"the pictures of {root.parents[1].name} are not of its characters: none overlaps as much as 0.9")
    assert [name for name, agreed in found.items() if not agreed.passes] == []
