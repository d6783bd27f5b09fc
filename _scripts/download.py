"""Weights and data by manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from _databacks.licences import terminal_question
from _databacks.manifest import manifest
from _databacks.stock import fetch, stock_text, take_stock
from _databacks.weight_folders import search_folders
from _exchange.command import Outcome, Verb, main


@dataclass(frozen=True, kw_only=True)
class Download(Verb):
    """Fetch files of the manifest; or, without names, list what of it is here: weights and data with their licences.

    What breaks off is gone on with by the same command; a file counts when its SHA-256 is right. What is not
    ours to hand out is listed with where a person gets it and where to put it (exit code 3 when it is asked for).

    Example:
        python3 -m _scripts.download
        python3 -m _scripts.download alexnet clip-vit-b32 --accept
        python3 -m _scripts.download all --to weights
    """

    names: Positional[tuple[str, ...]] = ()
    """What to fetch; `all` is every file that has an address. Without names, the table is printed."""
    to: Path | None = None
    """Folder to look in and to download to; else ANIME3D_WEIGHTS is looked through, and the user's cache is filled."""
    accept: bool = False
    """Accept the licences of what is fetched; remembered, like a yes at the terminal."""


def run(options: Download) -> Outcome:
    """Take stock, or fetch and say where the files are."""
    folders = search_folders() if options.to is None else (options.to,)
    if not options.names:
        holdings = take_stock(manifest(), folders, Path())
        return Outcome(stock_text(holdings), {"entries": [asdict(holding) for holding in holdings]})
    found = fetch(manifest(), options.names, folders, accepted=options.accept, ask=terminal_question())
    lines = [f"{name}: {path}" for name, path in found.items()]
    return Outcome("\n".join(lines), {"files": {name: str(path) for name, path in found.items()}})


if __name__ == "__main__":
    main(Download, run)
