"""Where the weights of the method `panic3d` lie; nothing is read here.

Unless they are named, files are looked for below `WEIGHTS` under the names that they were published with, in any
folder, either as published or converted to safetensors. Source: spec/generator.md §9, spec/linefill.md §7,
spec/features.md §2, §3.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from _exchange.errors import InputError, MissingComponent

WEIGHTS = Path("_data/weights/panic3d")
"""Where published weights are looked for, relative to the working folder."""
PUBLISHED_NAMES: Mapping[str, str] = {
    "checkpoint": "network-snapshot-000200",
    "line_filler": "epoch=0199",
    "feature_extractor": "epoch=0022-val_f2=0.4461-val_loss=0.0766",
    "feature_pca": "pca",
}
"""File names without suffix, by option."""
_SUFFIXES = (".safetensors", ".pkl", ".ckpt")
NONE = "none"
"""Value of the option `line_filler` that leaves the lines of drawings."""
_IN_WORDS = {
    "checkpoint": "a checkpoint of the generator",
    "line_filler": "the line filler",
    "feature_extractor": "the feature extractor, which this model needs",
    "feature_pca": "the principal components of the feature extractor, which this model needs",
}


def find_file(option: str, given: str) -> Path:
    """The file of an option: the one given, or the published one below `WEIGHTS`.

    Raises:
        InputError: the file given is no file.
        MissingComponent: none was given, and none is there.
    """
    if given:
        path = Path(given)
        if not path.is_file():
            raise InputError(f"Expected {_IN_WORDS[option]} in {path}, found no file.")
        return path
    name = PUBLISHED_NAMES[option]
    found = sorted(path for suffix in _SUFFIXES for path in WEIGHTS.rglob(f"{name}{suffix}") if path.is_file())
    if not found:
        advice = f"Give --{option.replace('_', '-')} FILE, or put {name}{{{','.join(_SUFFIXES)}}} below {WEIGHTS}"
        advice += "; --line-filler none leaves the lines of drawings." if option == "line_filler" else "."
        advice += " python3 -m _scripts.download panic3d says where people get it."
        raise MissingComponent(f"Expected {_IN_WORDS[option]}, found none.", next_step=advice)
    return found[0]


def published_weights_are_here() -> bool:
    """Whether every published part is below `WEIGHTS`."""
    try:
        return all(find_file(option, "").is_file() for option in PUBLISHED_NAMES)
    except MissingComponent:
        return False
