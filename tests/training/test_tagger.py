"""The feature extractor: known counts of ResNet-50, laws of its outputs, scikit-learn's PCA, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional

from _exchange.errors import InputError
from torch_utils.checkpoint import Checkpoint, ModuleRecord
from torch_utils.checkpoint.tensors import TensorSource
from training.feature_picture import feature_picture
from training.resnet50 import Bottleneck, ResNet50
from training.tagger import (
    Pca,
    Tagger,
    pca_from_checkpoint,
    portrait_features,
    tagger_from_checkpoints,
    tagger_from_state_dict,
)

TAGS = 7


@pytest.fixture(scope="module")
def pca():
    rng = np.random.default_rng(0)
    components = rng.normal(0, 0.03, (600, 2048)).astype(np.float32)
    return Pca(components, rng.random(2048, np.float32))


@pytest.fixture(scope="module")
def tagger(pca):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Tagger(ResNet50(TAGS), pca).eval()


@pytest.fixture(scope="module")
def portrait():
    return np.random.default_rng(1).integers(0, 256, (512, 512, 4), np.uint8)


def small_pictures(count=2, height=64, width=96):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(2))


def checkpoint_of(name, tensors):
    sources = {key: TensorSource(tensor.dtype, tuple(tensor.shape), tensor.clone) for key, tensor in tensors.items()}
    return Checkpoint("torch", {name: ModuleRecord(name, sources)})


# -- the network ------------------------------------------------------------------------------------------------


def test_published_number_of_parameters():
    """ResNet-50 with 1000 classes is known for its 25,557,032 parameters; its buffers make 320 tensors."""
    with torch.device("meta"):
        network = ResNet50(1000)
    assert sum(parameter.numel() for parameter in network.parameters()) == 25_557_032
    assert len(network.state_dict()) == 320


def test_published_amount_of_work():
    """4.09 G multiplications for 224 × 224, as published for version 1.5; version 1 needs 3.8 G."""
    with torch.device("meta"):
        network, picture = ResNet50(1000).eval(), torch.zeros(1, 3, 224, 224)
    total = 0

    def count(layer, _, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(count)
    network(picture)
    assert total == pytest.approx(4.09e9, rel=2e-3)


def test_bottleneck_worked_by_hand():
    block = Bottleneck(6, 4, stride=2).double().eval()
    values = torch.rand(2, 6, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5

    def normalised(values):
        return values / (1 + 1e-5) ** 0.5  # a fresh normalisation: mean 0, variance 1, no affine change

    inner = normalised(functional.conv2d(values, block.conv1.weight)).clamp(min=0)
    inner = normalised(functional.conv2d(inner, block.conv2.weight, stride=2, padding=1)).clamp(min=0)
    shortcut = normalised(functional.conv2d(values, block.downsample[0].weight, stride=2))
    expected = (normalised(functional.conv2d(inner, block.conv3.weight)) + shortcut).clamp(min=0)
    torch.testing.assert_close(block(values), expected)


def test_first_layers_worked_by_hand(tagger):
    """7 × 7 convolution of stride 2, activation, largest of 3 × 3 at every second position."""
    pictures = small_pictures(1, 17, 22)
    values = functional.conv2d(functional.pad(pictures, [3, 3, 3, 3]), tagger.resnet.conv1.weight)[:, :, ::2, ::2]
    values = (values / (1 + 1e-5) ** 0.5).clamp(min=0)
    torch.testing.assert_close(tagger.resnet.stem(pictures), values, rtol=0, atol=1e-5)
    largest = ndimage.maximum_filter(values.detach().numpy(), (1, 1, 3, 3), mode="constant")[:, :, ::2, ::2]
    np.testing.assert_array_equal(tagger.resnet.maxpool(values).detach(), largest)


def test_bottleneck_of_equal_size_adds_its_input():
    block = Bottleneck(16, 4, stride=1).eval()
    assert block.downsample is None
    block.bn3.weight.data.zero_()
    values = small_pictures(1, 5, 5).repeat(1, 6, 1, 1)[:, :16]
    assert torch.equal(block(values), values)


@pytest.mark.parametrize(("side", "expected"), [(256, 8), (224, 7), (33, 2), (32, 1), (1, 1)])
def test_map_has_one_position_for_32_pixels(side, expected):
    with torch.device("meta"):
        network, picture = ResNet50(TAGS).eval(), torch.zeros(1, 3, side, side)
    assert network.feature_map(picture).shape == (1, 2048, expected, expected)
    assert network(picture).shape == (1, TAGS)


# -- laws -------------------------------------------------------------------------------------------------------


def test_pictures_are_normalised_as_for_imagenet(tagger):
    picture = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None] + torch.tensor([0.229, 0, -0.225])[:, None, None]
    expected = torch.tensor([1.0, 0, -1])[None, :, None, None]
    torch.testing.assert_close(tagger.normalised(picture), expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_vector_is_the_mean_of_the_map(tagger):
    pictures = small_pictures()
    mean = tagger.chonk(pictures).mean(dim=(2, 3))
    torch.testing.assert_close(tagger.feats(pictures, 20), mean[:, :20], rtol=0, atol=1e-4)


@torch.no_grad()
def test_each_position_is_projected_by_itself(tagger, pca):
    features = tagger.feature_map(small_pictures())
    chonk = tagger.projected(features, 512)
    assert chonk.shape == (2, 512, 2, 3)
    expected = pca.components[:512].astype(np.float64) @ (features[1, :, 0, 2].numpy() - pca.mean.astype(np.float64))
    np.testing.assert_allclose(chonk[1, :, 0, 2], expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_pictures_of_a_batch_do_not_meet(tagger):
    pictures = small_pictures()
    together, alone = tagger.chonk(pictures), tagger.chonk(pictures[1:])
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-4)


def test_projection_is_that_of_scikit_learn(tagger):
    vectors = np.random.default_rng(3).normal(1, 2, (520, 2048)).astype(np.float32)
    fitted = PCA(n_components=512, svd_solver="randomized", iterated_power=1, random_state=0).fit(vectors)
    other = Tagger(tagger.resnet, Pca(fitted.components_, fitted.mean_))
    ours = other.projected(torch.from_numpy(vectors[:3]), 512)
    np.testing.assert_allclose(ours, fitted.transform(vectors[:3]), rtol=0, atol=5e-5)  # measured: 5e-6
    assert ours.abs().max() > 10


def test_portrait_is_the_unmirrored_picture_alone(tagger, portrait):
    features = portrait_features(tagger, portrait)
    assert features.shape == (1, 512, 8, 8)
    assert features.dtype == torch.float32
    with torch.no_grad():
        expected = tagger.chonk(feature_picture(portrait))
    assert torch.equal(features, expected)


def test_top_of_the_portrait_is_the_top_of_the_map(tagger, portrait):
    other = portrait.copy()
    other[:32, :, :3] = 255 - other[:32, :, :3]
    change = (portrait_features(tagger, other) - portrait_features(tagger, portrait)).abs().sum(dim=(0, 1, 3))
    assert change[0] > 3 * change[-1]


def test_features_can_be_used_where_gradients_are_taken(tagger, portrait):
    weight = torch.ones(1, requires_grad=True)
    (portrait_features(tagger, portrait) * weight).sum().backward()
    assert weight.grad is not None


# -- weights ----------------------------------------------------------------------------------------------------


def test_state_dict_round_trip(tagger, pca):
    before = torch.get_rng_state()
    again = tagger_from_state_dict(tagger.state_dict(), pca)
    assert torch.equal(torch.get_rng_state(), before)
    assert not again.training
    pictures = small_pictures(1)
    assert torch.equal(again(pictures), tagger(pictures))
    assert again(pictures).shape == (1, TAGS)


def test_state_dict_has_the_network_only(tagger):
    assert all(name.startswith("resnet.") for name in tagger.state_dict())


def test_from_two_checkpoints(tagger, pca, portrait):
    arrays = {"components_": torch.from_numpy(pca.components), "mean_": torch.from_numpy(pca.mean)}
    arrays["explained_variance_"] = torch.zeros(600, dtype=torch.float64)
    weights = checkpoint_of("state_dict", tagger.state_dict())
    again = tagger_from_checkpoints(weights, checkpoint_of("pca", arrays))
    assert torch.equal(portrait_features(again, portrait), portrait_features(tagger, portrait))


# -- refusals ---------------------------------------------------------------------------------------------------


def refused(sentence, action, *arguments):
    with pytest.raises(InputError, match=sentence) as caught:
        action(*arguments)
    assert len(str(caught.value).splitlines()) == 1


def test_wrong_state_dicts_are_refused_by_name(tagger, pca):
    tensors = dict(tagger.state_dict())
    without = {name: tensor for name, tensor in tensors.items() if name != "resnet.layer3.2.bn1.weight"}
    refused(r"none of the names resnet\.layer3\.2\.bn1\.weight\.", tagger_from_state_dict, without, pca)
    more = tensors | {"resnet.layer5.0.conv1.weight": torch.zeros(1)}
    refused(r"found also resnet\.layer5\.0\.conv1\.weight\.", tagger_from_state_dict, more, pca)
    spoilt = tensors | {"resnet.bn1.bias": torch.full((64,), torch.nan)}
    refused(r"NaN or infinity in resnet\.bn1\.bias\.", tagger_from_state_dict, spoilt, pca)


@pytest.mark.parametrize(
    "last", [None, "text", torch.zeros(()), torch.zeros(0, 2048), torch.zeros(3), torch.zeros(2**60, 0)]
)
def test_last_layer_says_how_many_tags_there_are(pca, last):
    tensors = {} if last is None else {"resnet.fc.weight": last}
    refused(r"Expected a tagger with resnet\.fc\.weight of shape \(tags, 2048\)", tagger_from_state_dict, tensors, pca)


@pytest.mark.parametrize("size", [(512, 300), (512, 520), (64, 512)])
def test_portraits_that_are_not_square_are_refused(tagger, size):
    portrait = np.zeros((*size, 4), np.uint8)
    refused(rf"Expected a square portrait, .* found {size[0]} × {size[1]}", portrait_features, tagger, portrait)


@pytest.mark.parametrize("portrait", [np.zeros((8, 8, 3), np.uint8), np.zeros((0, 0, 4), np.uint8), np.zeros(4)])
def test_other_pictures_are_refused(tagger, portrait):
    refused("Expected an RGBA picture of bytes", portrait_features, tagger, portrait)


def test_one_pixel_is_a_portrait(tagger):
    assert torch.isfinite(portrait_features(tagger, np.full((1, 1, 4), 255, np.uint8))).all()


def test_models_in_training_are_refused(pca, portrait):
    with torch.random.fork_rng(devices=[]):
        tagger = Tagger(ResNet50(TAGS), pca)
    refused(r"evaluation mode.*eval\(\)", portrait_features, tagger, portrait)


@pytest.mark.parametrize(
    ("components", "mean", "sentence"),
    [
        (np.zeros((511, 2048), np.float32), np.zeros(2048, np.float32), "at least 512 components"),
        (np.zeros((512, 2047), np.float32), np.zeros(2047, np.float32), "of 2048 numbers"),
        (np.zeros((512, 2048), np.float32), np.zeros(600, np.float32), r"found shapes \(512, 2048\) and \(600,\)"),
        (np.zeros(2048, np.float32), np.zeros(2048, np.float32), r"found shapes \(2048,\)"),
        (np.zeros((512, 2048)), np.zeros(2048, np.float32), "in float32, found float64 and float32"),
        (np.full((512, 2048), np.nan, np.float32), np.zeros(2048, np.float32), "finite numbers"),
        (np.zeros((512, 2048), np.float32), np.full(2048, np.inf, np.float32), "finite numbers"),
    ],
)
def test_other_analyses_are_refused(components, mean, sentence):
    refused(sentence, Pca, components, mean)


def test_analyses_without_their_arrays_or_in_another_precision_are_refused():
    refused("none of the tensors components_, mean_", pca_from_checkpoint, checkpoint_of("pca", {}))
    halves = {"components_": torch.zeros(512, 2048).bfloat16(), "mean_": torch.zeros(2048)}
    refused("in float32, found torch.bfloat16", pca_from_checkpoint, checkpoint_of("pca", halves))
