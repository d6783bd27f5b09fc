"""A small measured run with every kind of file that a run can have, sealed."""

from __future__ import annotations

from pathlib import Path

from _databacks.dataset import open_dataset
from _exchange import atomic
from _measure.integrity.seal import Seal
from _measure.integrity.sealing import seal_report, seal_run, seal_verdicts
from tests.measure.report.small_run import ITEMS, ODD, PLAIN, SmallRun, copied, make_run, write_measured

WEIGHTS = {"network.npz": "ab" * 32}
KINDS_OF_RUN = (
    "run.json",
    "journal.jsonl",
    "measured.jsonl",
    "scores.jsonl",
    *(f"table.{form}" for form in ("txt", "csv", "md", "tex", "json")),
    "items/*/*/status.json",
    "items/*/*/mesh.glb",
    "items/*/*/mesh_textured.glb",
    "items/*/*/prepared_input.png",
    "items/*/*/renders/*.png",
    "items/*/*/renders_unpasted/*.png",
    "items/*/*/position/*.png",
    "variants/*/scores.jsonl",
    "variants/*/table.*",
    "variants/switches.*",
)
KINDS_MADE_LATER = ("verify.json", "report/index.html", "report/pictures/*.webp")
SEALS = ("seal.json", "verify.seal.json", "report.seal.json")
KINDS_OF_DATASET = (
    "subsets/*.csv",
    "renders/*/*_meta.json",
    "renders/*/*_alignment.json",
    "renders/*/attribution.csv",
    "renders/*/fandom_align/*/*/front.png",
    "renders/*/fandom_align_seg/*/*/front.png",
    "renders/*/ortho/*/*/*.png",
    "renders/*/rgb60/*/*/*.png",
    "raw/dssc/*/*.vrm",
    "raw/fandom/*/images/**/*.png",
)


def make_complete_run(root: Path) -> SmallRun:
    """Files that seals only look at the bytes of stand for what they are called."""
    small = make_run(root)
    run, renders = small.run, small.data / "renders" / "daredemoE"
    for item in (PLAIN, ODD):
        folder = run.item(item)
        atomic.write_bytes(folder.textured_mesh, b"a surface with a texture")
        atomic.write_bytes(folder.prepared_input, b"a portrait without lines")
        for camera in ("ortho_front", "rgb60_0036"):
            atomic.write_bytes(folder.unpasted_render(camera), camera.encode())
            atomic.write_bytes(folder.position(camera), camera.encode() * 2)
    for journal in (run.journal, run.measured):
        atomic.write_text(journal, '{"item": "genshin/albedo"}\n')
    write_measured(run.variant("paper"))
    atomic.write_text(run.path / "variants" / "switches.txt", "what each switch changes\n")
    atomic.write_text(run.verdicts, "{}\n")
    atomic.write_text(run.report, "<html>\n")
    atomic.write_bytes(run.report.parent / "pictures" / "one.webp", b"a picture")
    atomic.write_text(renders / "daredemoE_meta.json", "{}\n")
    atomic.write_text(renders / "attribution.csv", "item,author\n")
    atomic.write_bytes(renders / "fandom_align_seg" / PLAIN.franch / PLAIN.idx / "front.png", b"a mask")
    # Where the alignment of `make_run` says that the illustration is, below the raw illustrations of its site.
    source = next(iter(open_dataset(small.data)._alignments.values())).source
    site, _, rest = source.partition("/")
    atomic.write_bytes(small.data / "raw" / "fandom" / site / "images" / f"{rest}.png", b"an illustration")
    return small


def seal(small: SmallRun) -> Seal:
    """Seal as `measure`, `verify` and `report` do; the seal of the first."""
    seal_verdicts(small.run)
    seal_report(small.run)
    return seal_run(small.run, small.run.path, ITEMS, open_dataset(small.data), WEIGHTS)


def copy_sealed(small: SmallRun, root: Path) -> SmallRun:
    """A copy below another folder, sealed there."""
    copy = copied(small, root)
    seal(copy)
    return copy
