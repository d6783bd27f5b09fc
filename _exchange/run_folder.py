"""Every path of a run folder, in one place. See `run_record`, `journal` and `scores` for what the files hold.

runs/<name>/run.json                      resolved configuration, versions, digests
runs/<name>/journal.jsonl                 one line per finished item
runs/<name>/items/<franch>/<idx>/         status.json, mesh.glb, renders/, position/, and where there
                                          are such: mesh_textured.glb, renders_unpasted/, prepared_input.png
runs/<name>/scores.jsonl, table.*         what `measure` writes
runs/<name>/measured_from.json            where the predictions lie, if not in this folder
runs/<name>/variants/<variant>/           the same under another protocol or without pasted pixels
runs/<name>/verify.json                   what `verify` writes
runs/<name>/seal.json                     SHA-256 of every file that the scores rest on
runs/<name>/verify.seal.json, report.seal.json   the same of what `verify` and `report` write
runs/<name>/report/index.html             what `report` writes
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from _exchange.errors import InputError
from _exchange.items import ItemId

RUNS = Path("runs")
"""Where runs lie unless said otherwise, relative to the working folder."""
TABLE_FORMATS = ("txt", "csv", "md", "tex", "json")


@dataclass(frozen=True)
class ItemFolder:
    """The files of one item of a run."""

    path: Path

    @property
    def status(self) -> Path:
        """`ItemStatus` as JSON."""
        return self.path / "status.json"

    @property
    def mesh(self) -> Path:
        """The reconstructed surface, `head_world`."""
        return self.path / "mesh.glb"

    @property
    def textured_mesh(self) -> Path:
        """The same surface, coarser and with a texture; only written where it was asked for."""
        return self.path / "mesh_textured.glb"

    def render(self, camera: str) -> Path:
        """Picture of a camera such as ``ortho_front``: RGBA, (512, 512)."""
        return self.path / "renders" / f"{camera}.png"

    def unpasted_render(self, camera: str) -> Path:
        """The same picture without pasted input pixels; only written by methods that paste."""
        return self.path / "renders_unpasted" / f"{camera}.png"

    def position(self, camera: str) -> Path:
        """Position map of a camera: RGB = (xyz + 0.35)/0.7 in `head_world`, alpha = accumulated weight."""
        return self.path / "position" / f"{camera}.png"

    @property
    def prepared_input(self) -> Path:
        """The portrait as the method took it, such as the line-filled one; RGBA, (512, 512)."""
        return self.path / "prepared_input.png"

    def result_files(self) -> list[Path]:
        """All files that must repeat byte for byte, sorted: everything but the status."""
        skipped = self.status
        return sorted(p for p in self.path.rglob("*") if p.is_file() and p != skipped and not p.name.startswith("."))


@dataclass(frozen=True)
class RunFolder:
    """One run."""

    path: Path

    @property
    def record(self) -> Path:
        """`RunRecord` as JSON."""
        return self.path / "run.json"

    @property
    def journal(self) -> Path:
        """Finished items, the source of truth for resuming."""
        return self.path / "journal.jsonl"

    @property
    def measured(self) -> Path:
        """Scores of finished items while measuring: the journal of `measure`."""
        return self.path / "measured.jsonl"

    @property
    def measured_from(self) -> Path:
        """`MeasuredFrom` as JSON: where the predictions lie; only where they lie in another folder."""
        return self.path / "measured_from.json"

    @property
    def scores(self) -> Path:
        """One line per item × metric × view."""
        return self.path / "scores.jsonl"

    @property
    def report(self) -> Path:
        """The first page of the report."""
        return self.path / "report" / "index.html"

    @property
    def verdicts(self) -> Path:
        """Every row beside its published or stored value."""
        return self.path / "verify.json"

    @property
    def seal(self) -> Path:
        """Digests of every file of the run and of its dataset, written when it was measured."""
        return self.path / "seal.json"

    @property
    def verdicts_seal(self) -> Path:
        """Digest of `verdicts`, written with them."""
        return self.path / "verify.seal.json"

    @property
    def report_seal(self) -> Path:
        """Digests of the report's files, written with them."""
        return self.path / "report.seal.json"

    def variant(self, name: str) -> RunFolder:
        """Where scores and tables of the same predictions under other rules lie, e.g. ``paper-unpasted``."""
        return RunFolder(self.path / "variants" / name)

    def table(self, table_format: str) -> Path:
        """The table in one of `TABLE_FORMATS`."""
        return self.path / f"table.{table_format}"

    def item(self, item: ItemId) -> ItemFolder:
        """The folder of one item."""
        return ItemFolder(self.path / "items" / item.franch / item.idx)


def run_or_latest(path: Path | None) -> RunFolder:
    """The run at `path`, or the latest one below `RUNS`. Raises InputError where there is none to take."""
    return latest_run(RUNS) if path is None else RunFolder(path)


def latest_run(root: Path) -> RunFolder:
    """The run below `root` whose record was written last; predictions measured elsewhere count as well.

    Raises:
        InputError: there is none.
    """
    found = [*root.glob("*/run.json"), *root.glob("*/measured_from.json")]
    records = sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.parent.name))
    if not records:
        raise InputError(
            f"Expected a run below {root}, found none.", next_step="Run python3 -m _scripts.generate first."
        )
    return RunFolder(records[-1].parent)
