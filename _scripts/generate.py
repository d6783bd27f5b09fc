"""Items × method → a run folder."""

from __future__ import annotations

from dataclasses import dataclass

from _exchange.command import Outcome, Verb, main
from _methods.request import GenerateConfig, generate_as_asked


@dataclass(frozen=True, kw_only=True)
class Generate(Verb, GenerateConfig):
    """Reconstruct every character of a dataset: pictures, position maps and a mesh each, in a run folder.

    A run that was interrupted goes on when the same command is given again.

    Examples:
        python3 -m _scripts.generate
        python3 -m _scripts.generate --method panic3d --checkpoint network-snapshot-000200.pkl
        python3 -m _scripts.generate --data _data/mine --method billboard --out runs/flat
    """


def run(options: Generate) -> Outcome:
    """Reconstruct, and say what was taken, what was made, what was there, and what failed and why."""
    summary = generate_as_asked(options)
    lines = [
        *([summary.taken] if summary.taken else []),
        *([summary.record.note] if summary.record.note else []),
        f"{summary.run.path}: {summary.made} made, {summary.kept} there already, {len(summary.failed)} failed.",
        *(f"  failed: {item}: {reason}" for item, reason in summary.failed.items()),
    ]
    data = {"run": str(summary.run.path), "made": summary.made, "kept": summary.kept, "failed": dict(summary.failed)}
    return Outcome("\n".join(lines), data)


if __name__ == "__main__":
    main(Generate, run)
