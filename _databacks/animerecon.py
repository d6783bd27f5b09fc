"""AnimeRecon (`daredemoE`): illustration and 3D model of the same character; the benchmark. Source: spec/data.md §5."""

from __future__ import annotations

from _databacks.names import ANIMERECON
from _databacks.rendered_set import RenderedSet


class AnimeRecon(RenderedSet):
    """The paired evaluation set."""

    renderset = ANIMERECON
    list_name = f"{ANIMERECON}_test"
    paper_arm_degrees = 15.0
    how_to_get_portraits = (
        "Portraits, masks and alignments are in the authors' archive panic_data_models_merged.zip; "
        "unpack it into this dataset."
    )
    how_to_get_characters = (
        "The characters are the publishers' MMD models converted to VRM 0.x; they cannot be downloaded for you."
    )
