"""What is read from damaged files can also be drawn: no crash, no warning, a picture of the right shape.

``VRM_MUTANTS`` sets the number, as for reading.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from _databacks.vrm import read_head_mesh
from _exchange.camera import CAM60, ORTHO
from _exchange.errors import SuiteError
from _render.choose import renderer
from _render.illustration import draw_illustration
from tests.databacks.vrm.handmade import LEFT_UPPER, character
from tests.hostile.gltf_mutations import mutate
from tests.hostile.test_vrm_mutations import HEAD, MUTANTS, SEED

FILES = {
    "vrm0.vrm": character().to_bytes(),
    "vrm1.vrm": character("1.0", joint=LEFT_UPPER, turned=True).to_bytes(),
    "plain.glb": character("").to_bytes(),
}


@pytest.mark.filterwarnings("error")
def test_mutants_that_are_characters_are_drawn(tmp_path: Path) -> None:
    drawn = 0
    for number in range(MUTANTS):
        name = sorted(FILES)[number % len(FILES)]
        (tmp_path / name).write_bytes(mutate(FILES[name], SEED + number))
        for shading in ("paper", "corrected"):
            try:
                head_mesh = read_head_mesh(tmp_path / name, shading=shading, head_position=HEAD)
            except SuiteError:
                continue
            scene = renderer("cpu").load(head_mesh, shading)
            assert scene.draw(ORTHO["front"], "colour", 64).shape == (64, 64, 4)
            assert scene.draw(CAM60[30], "position", 64).shape == (64, 64, 4)
            if drawn % 50 == 0:
                assert draw_illustration(scene, ORTHO["front"]).shape == (512, 512, 4)
            drawn += 1
    assert drawn > MUTANTS / 10
