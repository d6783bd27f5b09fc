"""Weights of metric networks by manifest."""

from __future__ import annotations

from dataclasses import dataclass

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _measure.weights import fetch


@dataclass(frozen=True, kw_only=True)
class Download(Verb):
    """Fetch a weight file into the user's cache and check its SHA-256.

    Example:
        python3 -m _scripts.download squeezenet1_1
    """

    name: Positional[str]
    """Name of the file in the manifest; an unknown one lists the known."""


def run(options: Download) -> Outcome:
    """Fetch, and say where the file is."""
    path = fetch(options.name)
    return Outcome(f"{options.name}: {path}", {"name": options.name, "path": str(path)})


if __name__ == "__main__":
    main(Download, run)
