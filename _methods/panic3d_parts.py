"""What the method `panic3d` consists of, read and put together: generator, line filler, feature extractor.

A checkpoint written by us says with `training.loading.NOTE` what must stand beside its results, and with
`TRAINED_WITHOUT` which parts it never saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from _exchange.digest import sha256_of_file
from _exchange.errors import FormatError, InputError
from _methods.panic3d_files import NONE, PUBLISHED_NAMES, find_file
from torch_utils.checkpoint import Checkpoint, read_checkpoint
from training.configurations import EVALUATION_DEPTHS
from training.linefill_networks import LineFiller
from training.linefill_weights import linefill_from_checkpoint
from training.loading import NOTE, TRAINED_WITHOUT, generator_from
from training.tagger import Tagger, tagger_from_checkpoints
from training.triplane import TriPlaneGenerator


@dataclass(frozen=True, eq=False)
class Parts:
    """The networks, in evaluation mode on one device.

    Attributes:
        generator: with the sampling depths of the published evaluation.
        line_filler: None where drawings keep their lines.
        tagger: None where the generator takes no features.
        files: by option, what was read.
        note: what must stand beside everything made with them; empty for nothing.
    """

    generator: TriPlaneGenerator
    line_filler: LineFiller | None
    tagger: Tagger | None
    files: Mapping[str, Path]
    note: str

    def digests(self) -> dict[str, str]:
        """SHA-256 of the files by option."""
        return {option: sha256_of_file(path) for option, path in self.files.items()}


def read_parts(options: Mapping[str, object], device: torch.device) -> Parts:
    """Find and read all parts that the model needs.

    Args:
        options: those of `PUBLISHED_NAMES`, as texts; absent or empty ones are looked for.
        device: where the networks go.

    Raises:
        InputError: a file is not what it should be.
        MissingComponent: a needed part is not there; the sentence names it and what to do.
    """
    given = {option: str(options.get(option, "")) for option in PUBLISHED_NAMES}
    files = {"checkpoint": find_file("checkpoint", given["checkpoint"])}
    checkpoint = read_checkpoint(files["checkpoint"])
    attributes = checkpoint.main.attributes
    with errors_naming(files["checkpoint"]):
        weights, note = checkpoint.generator, _note_of(attributes)
        generator = generator_from(
            weights.init_kwargs,
            weights.state_dict,
            rendering_kwargs={**weights.rendering_kwargs, **EVALUATION_DEPTHS},
            neural_rendering_resolution=weights.neural_rendering_resolution,
        )
    line_filler = tagger = None
    if _wants_line_filler(given["line_filler"], attributes.get(TRAINED_WITHOUT)):
        files["line_filler"] = find_file("line_filler", given["line_filler"])
        with errors_naming(files["line_filler"]):
            line_filler = linefill_from_checkpoint(read_checkpoint(files["line_filler"])).to(device)
    if generator.backbone.synthesis.cond_mode.reschonk_add:
        for option in ("feature_extractor", "feature_pca"):
            files[option] = find_file(option, given[option])
        tagger = tagger_from_checkpoints(*_read_all(files["feature_extractor"], files["feature_pca"])).to(device)
    return Parts(generator.to(device), line_filler, tagger, files, note)


@contextmanager
def errors_naming(path: Path) -> Iterator[None]:
    """Give the input errors inside the block the name of the file that they are about."""
    try:
        yield
    except FormatError as error:
        raise (error if error.file else error.in_file(path)) from error
    except InputError as error:
        message = error.message[:1].lower() + error.message[1:]
        raise InputError(f"{path.name}: {message}", next_step=error.next_step) from error


def _note_of(attributes: Mapping[str, object]) -> str:
    note = attributes.get(NOTE) or ""
    if not isinstance(note, str):
        raise FormatError(NOTE, "a sentence", repr(note)[:60])
    return note


def _wants_line_filler(given: str, trained_without: object) -> bool:
    """A line filler that is named is used; one that the model never saw is not looked for."""
    if given:
        return given != NONE
    return not (isinstance(trained_without, list) and "line_filler" in trained_without)


def _read_all(*paths: Path) -> list[Checkpoint]:
    return [read_checkpoint(path) for path in paths]
