"""Checkpoints → safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.errors import InputError

RANDOM = Path("random")


@dataclass(frozen=True, kw_only=True)
class Convert(Verb):
    """Write one module of a checkpoint, with its configuration, as safetensors; nothing in the file is executed.

    The source `random` stands for a small generator of seeded random weights, to try things with.
    Read are the published snapshot (.pkl), Lightning and other PyTorch files (.ckpt, .pt, .pth), pickles of
    scikit-learn's PCA, and safetensors.

    Examples:
        python3 -m _scripts.convert network-snapshot.pkl panic3d.safetensors
        python3 -m _scripts.convert network-snapshot.pkl discriminator.safetensors --module D
        python3 -m _scripts.convert random random.safetensors
    """

    source: Positional[Path]
    """The checkpoint, or random."""
    target: Positional[Path]
    """The .safetensors file to write."""
    module: str | None = None
    """G_ema, G, D, or another name in the file; default: the one that inference needs."""


def run(options: Convert) -> Outcome:
    """Convert, and show what the checkpoint holds."""
    from torch_utils.checkpoint import read_checkpoint, summary, summary_text, write_safetensors

    if options.target.suffix != ".safetensors" or options.target.resolve() == options.source.resolve():
        raise InputError(f"Expected another file, named *.safetensors, to write, found {options.target}.")
    if options.source == RANDOM:
        from training.configurations import small
        from training.random_model import random_checkpoint

        checkpoint = random_checkpoint(small(), render_size=48)
    else:
        checkpoint = read_checkpoint(options.source)
    name = options.module or checkpoint.main.name
    write_safetensors(checkpoint, name, options.target)
    text = f"{summary_text(checkpoint)}\n\n{name} is in {options.target}"
    data = {"kind": checkpoint.kind, "modules": summary(checkpoint), "written": name, "file": str(options.target)}
    return Outcome(text, data)


if __name__ == "__main__":
    main(Convert, run)
