"""Read VRM 0.x, VRM 1.0 and plain glTF characters: bytes → checked document → posed, textured triangles.

`read_head_mesh` returns what the renderer draws, `read_true_surface` what is measured, `read_attribution` who made
it; `read_document` stops after checking. One step a file: container, json_path, accessors, nodes, meshes, skin,
images, materials, humanoid, document, then `paper` or `corrected`, and `extract` in front of them.
"""

from _databacks.vrm.document import Document, read_document
from _databacks.vrm.extract import PAPER_POSES, TrueSurface, read_attribution, read_head_mesh, read_true_surface

__all__ = [
    "PAPER_POSES",
    "Document",
    "TrueSurface",
    "read_attribution",
    "read_document",
    "read_head_mesh",
    "read_true_surface",
]
