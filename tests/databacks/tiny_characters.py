"""Characters of twelve triangles: a coloured cube around the head bone, cheap to draw and exactly known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.databacks.vrm.handmade import HEAD_AT, character

HALF_SIDE = 0.1
"""Half the side of the cube, metres; its centre is 0.1 m above the head bone, the origin of the head frames."""
NECK_HEIGHT = -0.2
"""y of the neck joint in the head frames: the head bone is 0.1 m above it."""


def cube(half_side: float = HALF_SIDE, above: float = 0.1, across: float = 0.0) -> np.ndarray:
    """(36, 3) corners of the cube's triangles in `model`, counter-clockwise from outside."""
    quads = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3] * sign
            normal = np.eye(3)[axis] * sign
            corners = [normal - u - v, normal + u - v, normal + u + v, normal - u + v]
            quads += [corners[0], corners[1], corners[2], corners[0], corners[2], corners[3]]
    return (half_side * np.array(quads) + HEAD_AT + (across, above, 0)).astype(np.float32)


def tiny_character(
    version: str = "0.x", *, author: str = "A. Uthor", title: str = "Cube", positions: np.ndarray | None = None
) -> bytes:
    """The bytes of a VRM file with a meta block."""
    builder = character(version, positions=cube() if positions is None else positions)
    extension: dict[str, Any] = builder.gltf["extensions"]["VRM" if version == "0.x" else "VRMC_vrm"]
    if version == "0.x":
        extension["meta"] = {"title": title, "author": author, "licenseName": "CC0"}
    else:
        extension["meta"] = {"name": title, "authors": [author], "licenseUrl": "https://vrm.dev/licenses/1.0/"}
    return builder.to_bytes()


def write_tiny(path: Path, version: str = "0.x", **options: Any) -> Path:
    """Write a tiny character; equal options give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tiny_character(version, **options))
    return path


def files_below(folder: Path, leave_out: str = "prepare_journal.jsonl") -> dict[str, bytes]:
    """Content by relative path of everything below a folder, journals aside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != leave_out
    }
