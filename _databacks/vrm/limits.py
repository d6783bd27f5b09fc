"""What the reader is ready to hold: every limit is checked before the memory it guards is asked for.

The largest file met in practice (a VRM 1.0 character of 30 MB with twenty 4096² textures) stays well inside.
"""

from __future__ import annotations

MAX_FILE_BYTES = 512 * 2**20
"""Bytes of the file itself, and of each external buffer or image."""
MAX_JSON_BYTES = 32 * 2**20
"""Bytes of the JSON text."""
MAX_ENTRIES = 65_536
"""Entries of any array of the document that the reader walks through."""
MAX_ACCESSOR_COUNT = 2**24
"""Elements of one accessor."""
MAX_UNBACKED_COUNT = 2**22
"""Elements of an accessor without buffer view, which costs the file nothing and the reader everything."""
MAX_VERTICES = 2**22
"""Vertices that are posed, over all primitives; those that share their buffers count once."""
MAX_SURFACE_VERTICES = 2**24
"""Vertices of a concatenated surface, in which shared buffers are repeated."""
MAX_DRAWS = 16_384
"""Primitives that a scene draws, a mesh drawn twice counting twice."""
MAX_JOINTS = 2**18
"""Joints over all skins."""
MAX_NOTES = 100
"""Notes that are kept about one file."""
MAX_TRIANGLES = 2**23
"""Triangles over all drawn primitives."""
MAX_IMAGE_PIXELS = 2**26
"""Pixels of one image (8192²)."""
MAX_TOTAL_PIXELS = 2**28
"""Pixels over all decoded images of a file (sixteen of 4096²)."""
MAX_COORDINATE = 1e6
"""Largest absolute coordinate (metres) or texture coordinate that still means something in float32."""
MAX_TEXT = 4_000
"""Characters of a text that is carried along, such as an author's name."""
