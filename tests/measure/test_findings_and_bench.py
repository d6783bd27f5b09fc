"""What `doctor` learns from this room, and the shape of the bench report."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from _exchange.digest import sha256_of_file
from _measure import network_weights, weights
from _measure.bench import bench_measure, bench_text
from _measure.findings import network_findings
from _measure.protocols import Settings
from tests.measure.small_benchmark import SmallBenchmark

REPOSITORY = Path(__file__).resolve().parents[2]


def test_missing_networks_come_with_their_command(no_weights: Path) -> None:
    findings = {finding.what: finding for finding in network_findings()}
    assert not any(finding.present or finding.needed for finding in findings.values())
    assert findings["LPIPS-alex"].fix == "Run python3 -m _scripts.download alexnet."
    assert findings["CLIP"].fix == "Run python3 -m _scripts.download clip-vit-b32."
    assert "Its rows read: not run." in findings["CLIP"].sentence


def test_present_network_is_named_with_its_folder(shared_squeeze_weights: network_weights.NetworkWeights) -> None:
    findings = {finding.what: finding for finding in network_findings()}
    assert findings["LPIPS-squeeze"].present
    assert shared_squeeze_weights.source in findings["LPIPS-squeeze"].sentence


def test_present_clip_is_named_with_its_licence(no_weights: Path, monkeypatch) -> None:
    no_weights.mkdir(parents=True)
    path = no_weights / weights.CLIP_VIT_B32.file_name
    path.write_bytes(b"a network")
    here = replace(weights.CLIP_VIT_B32, sha256=sha256_of_file(path))
    monkeypatch.setattr(weights, "CLIP_VIT_B32", here)
    finding = next(finding for finding in network_findings() if finding.what == "CLIP")
    assert finding.present
    assert finding.sentence == f"{path} (MIT)"


def test_a_file_with_a_wrong_digest_is_told(no_weights: Path) -> None:
    no_weights.mkdir(parents=True)
    (no_weights / weights.VGG16.file_name).write_bytes(b"?")
    findings = {finding.what: finding for finding in network_findings()}
    assert findings["LPIPS-vgg"].fix == "Replace or remove that file."


@pytest.mark.parametrize(
    "module", ["findings", "table", "metrics.psnr", "metrics.ssim", "metrics.chamfer", "metrics.fscore", "metrics.clip"]
)
def test_parts_on_numbers_import_no_torch(module: str) -> None:
    program = f"import sys, _measure.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False).returncode == 0


def test_bench_reports_every_stage(benchmark_run: SmallBenchmark, no_weights: Path, monkeypatch) -> None:
    monkeypatch.setattr(weights, "_BACKBONES", {"squeeze": (weights.ALEXNET,)})
    settings = Settings(sample_count=300)
    report = bench_measure(benchmark_run.items[:1], benchmark_run.truth_of, benchmark_run.predictions, settings)
    names = [stage.name for stage in report.stages]
    assert names[0] == "read and crop pictures"
    assert names[-1] == "whole item"
    assert {"psnr", "ssim", "distances", "make true surface", "true surface, kept from before"} <= set(names)
    assert all(stage.cpu_seconds >= 0 for stage in report.stages)
    assert set(report.not_run) == {"lpips (squeeze)", "clip"}
    assert "lpips (squeeze) not run: Expected the weights" in bench_text(report)
