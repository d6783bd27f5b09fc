"""Keys, their order, shapes and kinds of the published networks, against the listings of the specification."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
import torch

from tests.parity.fixtures import ROOT
from training.discriminator import DualDiscriminator
from training.superresolution import SuperresolutionHybrid8XDC
from training.synthesis import Backbone

LISTINGS = ROOT.parent / "spec"
COND_MODE = "ortho_front.cond_img_norm_4.concatfront.crossavg_4.reschonk_add_512.inj_6b_4"


def listed(file: str, network: str, prefix: str) -> list[tuple[str, str, bool]]:
    """(key, shape, is a parameter) of the entries below a prefix, in order."""
    path = LISTINGS / file
    if not path.exists():
        pytest.skip(f"no listing {file} beside the fixtures")
    with path.open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t") if row.get("network", network) == network]
    return [
        (row["key"].removeprefix(prefix), row["shape"], row["kind"] == "param")
        for row in rows
        if row["key"].startswith(prefix)
    ]


def found(module: torch.nn.Module) -> Iterator[tuple[str, str, bool]]:
    parameters = dict(module.named_parameters())
    for key, value in module.state_dict().items():
        assert value.dtype == torch.float32
        yield key, "x".join(map(str, value.shape)) or "scalar", key in parameters


def test_backbone() -> None:
    module = Backbone(
        512, 25, 512, img_resolution=256, img_channels=144, cond_mode=COND_MODE, mapping_kwargs={"num_layers": 2}
    )
    assert list(found(module)) == listed("generator_state_dict.tsv", "G", "backbone.")


def test_superresolution() -> None:
    module = SuperresolutionHybrid8XDC(32, 512, sr_num_fp16_res=4, sr_antialias=True, channels_hidden=16)
    assert list(found(module)) == listed("generator_state_dict.tsv", "G", "superresolution.")


@pytest.mark.parametrize("file", ["discriminator_state_dict.tsv", "generator_state_dict.tsv"])
def test_discriminator(file: str) -> None:
    expected = listed(file, "D", "")
    module = DualDiscriminator(25, 512, 3, COND_MODE, epilogue_kwargs={"mbstd_group_size": 4})
    assert list(found(module)) == expected
    assert sum(parameter.numel() for parameter in module.parameters()) == 31_359_744
