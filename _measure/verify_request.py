"""`verify`: from what a person asks for to verdicts: which run, against what, stored where."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from _exchange.errors import InputError
from _exchange.run_folder import RunFolder, run_or_latest
from _measure.baseline import compare_to_baseline, read_baseline, store_into
from _measure.integrity.check import SealReport, check_seal, unsealed_scores
from _measure.integrity.pack import check_pack
from _measure.integrity.sealing import seal_verdicts
from _measure.measure import MeasureConfig, results_folder
from _measure.published import Published
from _measure.published_csv import with_user_rows
from _measure.scored_run import MEASURE_COMMAND, ScoredRun, measure_command
from _measure.seeds import SeedStudy, measure_seeds
from _measure.verification import Verification, verification_text, write_verification, write_verification_tables
from _measure.verify import judged_scores, measured_protocols, published_verification

PUBLISHED = "published"


@dataclass(frozen=True, kw_only=True)
class VerifyConfig:
    """What to hold a run against."""

    path: Path | None = None
    """Measured run, or what was measured in the original's layout; default: the latest run below runs/."""
    against: str = PUBLISHED
    """The published numbers, or a file of stored ones (see --store)."""
    rows: Path | None = None
    """CSV with further published numbers; its columns stand in _measure/published_csv.py."""
    all: bool = False
    """Also list published numbers that no run can be held against: human studies, re-reports, other protocols."""
    seeds: int = 0
    """Measure the run so often under paper, each time with other surface samples, and judge their mean."""
    data: Path | None = None
    """Dataset root for --seeds and --integrity; default: where it was when the run was made."""
    workers: int = 0
    """Processes for --seeds; 0 takes one per processor core."""
    device: str = "cpu"
    """Where networks run for --seeds: cpu, cuda or cuda:N."""
    store: Path | None = None
    """Put this run's table into a file of stored numbers, for --against in future."""
    out: Path | None = None
    """Folder for verify.* as text, CSV, Markdown, LaTeX and JSON; verify.json is always put into the run's folder."""


def verify(config: VerifyConfig) -> Verification:
    """Hold a run against numbers, and write ``verify.json`` into its folder; a note says where that is not possible.

    Raises:
        InputError: there is no such run, it was not measured, or options contradict one another.
        FormatError: a file is damaged.
    """
    given = run_or_latest(config.path)
    run = results_folder(given)
    if not run.table("json").is_file():
        raise InputError(f"Expected {run.table('json')}, found none.", next_step=_remedy(given))
    if config.seeds < 0 or config.workers < 0:
        raise InputError(f"Expected --seeds and --workers of at least 0, found {config.seeds} and {config.workers}.")
    if config.against != PUBLISHED and (config.rows or config.all or config.seeds):
        raise InputError(f"Expected --rows, --all and --seeds with --against {PUBLISHED}, found {config.against}.")
    if config.store is not None and config.store.is_dir():
        raise InputError(f"Expected a file for --store, found the folder {config.store}.")
    if config.against == PUBLISHED:
        verification = _against_published(run, config)
    else:
        verification = _against_baseline(run, Path(config.against))
    judged = judged_scores(run, verification.study)
    verification = _kept(run, replace(verification, scores=judged))
    if config.out is not None:
        write_verification_tables(config.out, verification)
    if config.store is not None:
        for scored in measured_protocols(run).values():
            store_into(config.store, config.store.stem, scored)
    return verification


def _kept(run: RunFolder, verification: Verification) -> Verification:
    """Verdicts do not depend on a place to keep them: a run that is read-only is verified all the same."""
    try:
        write_verification(run, verification)
        seal_verdicts(run)
    except OSError as error:
        note = f"{run.verdicts} could not be written: {error.strerror or error}"
        return replace(verification, notes=(*verification.notes, note))
    return verification


def _remedy(given: RunFolder) -> str:
    there = given.path.is_dir()
    return f"Run {measure_command(given)} first." if there else f"There is no folder {given.path}: choose another run."


def shown_text(run: RunFolder, verification: Verification, config: VerifyConfig) -> str:
    """What is shown on the screen: the tables, whether the scores are as they were sealed, and what was written.

    Files name no folder, so that they travel; on the screen commands can be pasted as they stand.
    """
    text = verification_text(verification).replace(f"{MEASURE_COMMAND} RUN", measure_command(run))
    results = results_folder(run)
    name = unsealed_scores(results, verification.scores)
    check = f"python3 -m _scripts.verify {shlex.quote(str(results.path))} --integrity names every file"
    lines = [f"run: {run.path}\n{text}"]
    lines += [f"{name} is not what was sealed: {check}\n"] if name else []
    lines += [] if config.store is None else [f"stored in {config.store}\n"]
    lines += [] if config.out is None else [f"written: verify.* in {config.out}\n"]
    return "".join(lines)


def integrity_of(config: VerifyConfig) -> SealReport:
    """What became of the files of a run, or of an archive of one; raises as `check_seal` and `check_pack` do."""
    path = config.path
    if path is not None and (path.is_file() or (path.suffix == ".tar" and not path.is_dir())):
        return check_pack(path, data=config.data)
    return check_seal(results_folder(run_or_latest(path)).path, data=config.data)


def _against_published(run: RunFolder, config: VerifyConfig) -> Verification:
    published = Published.read()
    if config.rows is not None:
        published = with_user_rows(published, config.rows)
    study = _study(run, config) if config.seeds else None
    return published_verification(run, published, study, list_all=config.all)


def _study(run: RunFolder, config: VerifyConfig) -> SeedStudy:
    """Repeats over the items that the run was measured on."""
    count = len(ScoredRun.read(run).items)
    return measure_seeds(
        config.seeds,
        MeasureConfig(path=config.path, data=config.data, limit=count, workers=config.workers, device=config.device),
    )


def _against_baseline(run: RunFolder, path: Path) -> Verification:
    """Every protocol that the run was measured under, beside its stored rows."""
    baseline = read_baseline(path)
    scored = ScoredRun.read(run)
    measured = measured_protocols(run).values()
    return Verification(
        against=baseline.name,
        method=scored.method,
        dataset=scored.dataset,
        verdicts=tuple(verdict for each in measured for verdict in compare_to_baseline(each, baseline)),
    )
