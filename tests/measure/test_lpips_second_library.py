"""LPIPS against torchmetrics: its way of cutting networks into slices, its scaling, heads and averages.

Torchmetrics takes the layers from torchvision; here it is handed ours, so what is compared is where maps are tapped
and everything after it. The layers themselves are held by `test_lpips`.
"""

from __future__ import annotations

import pytest
import torch
from torchmetrics.functional.image import lpips as reference

from _measure.metrics.lpips import LpipsNetwork, lpips
from tests.measure.test_lpips import BACKBONES, pictures, random_weights

TORCHVISION_NAMES = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}


@pytest.fixture(params=BACKBONES)
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Our network and torchmetrics' with the same parameters and its own packaged heads."""
    ours = LpipsNetwork(request.param, random_weights(request.param, seed=11))

    def features(net: str, pretrained: bool = False) -> torch.nn.Module:
        assert net == TORCHVISION_NAMES[request.param]
        return ours.backbone.features

    monkeypatch.setattr(reference, "_get_tv_model_features", features)
    return ours, reference._LPIPS(net=request.param, pretrained=True)


def test_every_map_is_tapped_where_torchmetrics_taps_it(both) -> None:
    ours, theirs = both
    picture = pictures((75, 91))[0][None]
    expected = list(theirs.net(theirs.scaling_layer(picture)))
    found = list(ours.feature_maps(picture))
    assert [tuple(x.shape) for x in found] == [tuple(x.shape) for x in expected]
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("value_range", "normalize"), [("unit", False), ("signed", True)])
def test_distances_agree_in_both_ranges(both, value_range: str, normalize: bool) -> None:
    ours, theirs = both
    a, b = pictures((75, 91))
    expected = float(theirs(a[None], b[None], normalize=normalize))
    # They add 1e-8 under the root of the norm, the published code 1e-10 to the norm: below 1e-5 of these maps.
    assert lpips(ours, a, b, value_range) == pytest.approx(expected, rel=1e-4)
