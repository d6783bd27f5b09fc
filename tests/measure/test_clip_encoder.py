"""CLIP's image tower: by hand, against torch's own encoder layer and `transformers`, and out of every kind of file."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from _exchange.digest import sha256_of_file
from _exchange.errors import FormatError, InputError, MissingComponent
from _measure import network_weights, weights
from _measure.networks.vit_b32 import Block, ImageEncoder, QuickGelu, VisionTower
from tests.measure.clip_weights import random_tower, torchscript_bytes
from torch_utils.determinism import single_threaded

SECONDS_AT_MOST = 6.0


def pictures(count: int, side: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, side, side)).astype(np.float32)


# -- what it computes -------------------------------------------------------------------------------------------


def test_a_tower_worked_by_hand() -> None:
    """Two tokens that the layer norms keep: u = (+1, −1, +1, −1 …) of the class, v = (+1, +1, −1, −1 …) of the patch.

    Queries and keys are 0, so attention is the mean of both values: 1.5 u + 0.5 v. The perceptron sees a constant 1,
    quick-GELU makes σ(1.702) of it, and v carries it on: 1.5 u + k v, k = 0.5 + σ(1.702). Its mean is 0 and its
    variance 1.5² + k².
    """
    width = 64
    u, v = torch.tensor([1.0, -1.0]).repeat(32), torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(16)
    tower = {name: torch.zeros_like(value) for name, value in random_tower(width, 1, 1, 1, 4).items()}
    tower |= {name: torch.ones_like(value) for name, value in tower.items() if ".ln_" in name and "weight" in name}
    block = "visual.transformer.resblocks.0"
    tower |= {
        "visual.class_embedding": 300 * u,
        "visual.conv1.weight": 100 * v.view(width, 1, 1, 1).expand(width, 3, 1, 1),
        f"{block}.attn.in_proj_weight": torch.cat([torch.zeros(2 * width, width), torch.eye(width)]),
        f"{block}.attn.out_proj.weight": torch.eye(width),
        f"{block}.mlp.c_fc.bias": torch.ones(4 * width),
        f"{block}.mlp.c_proj.weight": torch.cat([torch.diag(v), torch.zeros(width, 3 * width)], 1),
        "visual.proj": torch.eye(width)[:, :4],
    }
    k = 0.5 + 1 / (1 + math.exp(-1.702))
    spread = math.sqrt(1.5**2 + k**2)
    expected = [(1.5 + k) / spread, (-1.5 + k) / spread, (1.5 - k) / spread, (-1.5 - k) / spread]
    found = ImageEncoder(tower, "cpu", "float32").encode(np.ones((1, 3, 1, 1), np.float32))
    np.testing.assert_allclose(found, [expected], rtol=2e-5)


def test_quick_gelu_by_hand() -> None:
    x = torch.tensor([0.0, 1.0, -2.0])
    expected = [0.0, 1 / (1 + math.exp(-1.702)), -2 / (1 + math.exp(3.404))]
    torch.testing.assert_close(QuickGelu()(x), torch.tensor(expected))


def test_a_block_is_torch_s_encoder_layer() -> None:
    torch.manual_seed(1)
    theirs = nn.TransformerEncoderLayer(192, 3, 500, 0.0, QuickGelu(), batch_first=True, norm_first=True).eval()
    renamed = {"self_attn": "attn", "linear1": "mlp.c_fc", "linear2": "mlp.c_proj", "norm1": "ln_1", "norm2": "ln_2"}
    state = {name: torch.randn_like(tensor) * 0.1 for name, tensor in theirs.state_dict().items()}
    theirs.load_state_dict(state)
    ours = Block(192, 500)
    ours.load_state_dict({renamed[(p := name.split(".", 1))[0]] + "." + p[1]: t for name, t in state.items()})
    x = torch.randn(2, 7, 192)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


def transformers_embedding(tower: dict[str, torch.Tensor], depth: int, x: np.ndarray) -> np.ndarray:
    """The same weights in Hugging Face's model, every key in its place."""
    library = pytest.importorskip("transformers", reason="transformers is not installed: one reference less")
    width, _, patch, _ = tower["visual.conv1.weight"].shape
    config = library.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=depth,
        num_attention_heads=width // 64,
        image_size=x.shape[-1],
        patch_size=patch,
        projection_dim=tower["visual.proj"].shape[1],
        hidden_act="quick_gelu",
    )
    state = {
        "vision_model.embeddings.class_embedding": tower["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": tower["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": tower["visual.positional_embedding"],
        "visual_projection.weight": tower["visual.proj"].T,
    }
    for end in ("weight", "bias"):
        state[f"vision_model.pre_layrnorm.{end}"] = tower[f"visual.ln_pre.{end}"]
        state[f"vision_model.post_layernorm.{end}"] = tower[f"visual.ln_post.{end}"]
        for layer in range(depth):
            ours, theirs = f"visual.transformer.resblocks.{layer}", f"vision_model.encoder.layers.{layer}"
            for name, part in zip("qkv", tower[f"{ours}.attn.in_proj_{end}"].chunk(3)):
                state[f"{theirs}.self_attn.{name}_proj.{end}"] = part
            state[f"{theirs}.self_attn.out_proj.{end}"] = tower[f"{ours}.attn.out_proj.{end}"]
            state[f"{theirs}.layer_norm1.{end}"] = tower[f"{ours}.ln_1.{end}"]
            state[f"{theirs}.layer_norm2.{end}"] = tower[f"{ours}.ln_2.{end}"]
            state[f"{theirs}.mlp.fc1.{end}"] = tower[f"{ours}.mlp.c_fc.{end}"]
            state[f"{theirs}.mlp.fc2.{end}"] = tower[f"{ours}.mlp.c_proj.{end}"]
    with torch.device("meta"):  # drawing random weights first would take two seconds
        model = library.CLIPVisionModelWithProjection(config).eval()
    model.load_state_dict(state, assign=True)
    model.vision_model.embeddings.position_ids = torch.arange(len(tower["visual.positional_embedding"]))[None]
    with torch.no_grad():
        return model(pixel_values=torch.from_numpy(x)).image_embeds.numpy()


@pytest.mark.parametrize(("width", "depth", "patch", "grid", "embedding"), [(128, 3, 8, 3, 16), (192, 1, 16, 2, 40)])
def test_small_towers_are_transformers_clip(width: int, depth: int, patch: int, grid: int, embedding: int) -> None:
    tower = random_tower(width, depth, patch, grid, embedding)
    x = pictures(3, patch * grid)
    found = ImageEncoder(tower, "cpu", "float32").encode(x)
    expected = transformers_embedding(tower, depth, x)
    assert found.shape == (3, embedding)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_the_full_size_is_transformers_clip() -> None:
    tower = random_tower(768, 12, 32, 7, 512)
    x = pictures(2, 224)
    with single_threaded():
        start = time.process_time()
        encoder = ImageEncoder(tower, "cpu", "float32")
        found = encoder.encode(x)
        assert time.process_time() - start < SECONDS_AT_MOST
        assert np.array_equal(found, encoder.encode(x))  # one thread: the same bits
    expected = transformers_embedding(tower, 12, x)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert (encoder.tower.side, encoder.tower.dimensions) == (224, 512)


def test_pictures_alone_and_together_agree_closely() -> None:
    encoder = ImageEncoder(random_tower(), "cpu", "float32")
    x = pictures(5, 24)
    alone = np.concatenate([encoder.encode(one[None]) for one in x])
    np.testing.assert_allclose(encoder.encode(x), alone, rtol=1e-4, atol=1e-5)
    assert encoder.encode(x).dtype == np.float32


def test_pictures_of_another_size_are_refused() -> None:
    encoder = ImageEncoder(random_tower(), "cpu", "float32")
    for shape in ((1, 3, 24, 25), (3, 24, 24), (1, 4, 24, 24)):
        with pytest.raises(InputError, match=r"\(B, 3, 24, 24\), found"):
            encoder.encode(np.zeros(shape, np.float32))


# -- precision --------------------------------------------------------------------------------------------------


def test_the_half_tower_keeps_norms_and_embeddings_in_float32() -> None:
    tower = VisionTower(random_tower()).halved()
    wide = {name for name, value in tower.named_parameters() if value.dtype == torch.float32}
    norms = {name for name, _ in tower.named_parameters() if "ln_" in name}
    assert wide == norms | {"class_embedding", "positional_embedding"}
    assert {value.dtype for value in tower.parameters()} == {torch.float32, torch.float16}


def test_the_half_tower_is_close_to_the_float32_one() -> None:
    given = random_tower()
    kept = {name: tensor.clone() for name, tensor in given.items()}
    x = torch.from_numpy(pictures(2, 24))
    with torch.no_grad():
        wide, half = VisionTower(given)(x), VisionTower(given).halved()(x)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), wide, rtol=2e-2, atol=2e-2)
    assert not torch.equal(half.float(), wide)
    assert all(torch.equal(given[name], kept[name]) and given[name].dtype == torch.float32 for name in kept)


def test_stored_halves_are_computed_with_in_float32() -> None:
    half = {name: tensor.half() for name, tensor in random_tower().items()}  # as the published archive stores them
    encoder = ImageEncoder(half, "cpu", "float32")
    assert {value.dtype for value in encoder.tower.parameters()} == {torch.float32}
    assert encoder.encode(pictures(2, 24)).dtype == np.float32


def test_a_half_encoder_answers_in_half() -> None:
    x = pictures(2, 24)
    half, wide = (ImageEncoder(random_tower(), "cpu", numbers).encode(x) for numbers in ("float16", "float32"))
    assert (half.dtype, wide.dtype) == (np.float16, np.float32)
    np.testing.assert_allclose(half, wide, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("precision", "kind", "numbers"),
    [("device", "cuda", "float16"), ("device", "cpu", "float32"), ("float32", "cuda", "float32")],
)
def test_half_precision_is_taken_on_a_gpu_where_the_device_decides(
    precision, kind: str, numbers: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save_file(random_tower(), tmp_path / "clip.safetensors")
    asked = []
    monkeypatch.setattr(network_weights, "clip_file", lambda: (weights.CLIP_VIT_B32, tmp_path / "clip.safetensors"))
    monkeypatch.setattr(network_weights, "device_named", torch.device)
    monkeypatch.setattr(network_weights, "ImageEncoder", lambda _, *given: asked.append(given))
    network_weights.clip_encoder(f"{kind}:0", precision)
    assert asked == [(f"{kind}:0", numbers)]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: half precision is tested on the CPU only")
def test_a_gpu_computes_in_half_or_float32_as_asked() -> None:
    tower, x = random_tower(), pictures(2, 24)
    expected = ImageEncoder(tower, "cpu", "float32").encode(x)
    half, wide = (ImageEncoder(tower, "cuda", numbers) for numbers in ("float16", "float32"))
    assert half.encode(x).dtype == np.float16
    np.testing.assert_allclose(half.encode(x), expected, rtol=2e-2, atol=2e-2)
    np.testing.assert_allclose(wide.encode(x), expected, rtol=1e-2, atol=1e-2)  # TF32 where it is switched on


# -- loading ----------------------------------------------------------------------------------------------------


def changed(name: str, tensor: torch.Tensor | None) -> dict[str, torch.Tensor]:
    tower = random_tower()
    tower.pop(name, None)
    return tower if tensor is None else tower | {name: tensor}


@pytest.mark.parametrize(
    ("name", "tensor", "match"),
    [
        ("visual.conv1.weight", None, r"\(width, 3, patch, patch\).*none"),
        ("visual.proj", torch.zeros(3), r"visual\.proj.*\(width, embedding\).*\(3,\)"),
        ("visual.proj", torch.zeros(64, 16), r"visual\.proj.*\(128, 16\).*\(64, 16\)"),
        ("visual.ln_post.bias", None, r"visual\.ln_post\.bias.*\(128,\).*none"),
        ("visual.ln_pre.weight", torch.ones(128, dtype=torch.int64), r"visual\.ln_pre\.weight.*torch\.int64"),
        ("visual.transformer.resblocks.1.attn.in_proj_bias", None, r"resblocks\.1\.attn\.in_proj_bias.*none"),
        ("visual.transformer.resblocks.900000000.ln_1.bias", torch.ones(128), r"resblocks\.900000000\.ln_1\.bias"),
        ("visual.layer1.0.weight", torch.ones(1), r"visual\.layer1\.0\.weight.*no parameter of this name"),
        ("visual.positional_embedding", torch.zeros(9, 128), r"a square of patches.*\(9, 128\)"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, tensor: torch.Tensor | None, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        VisionTower(changed(name, tensor))


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")
@pytest.mark.parametrize("kind", ["torchscript", "torch", "legacy", "safetensors"])
def test_every_kind_of_file_gives_the_same_tower(kind: str, tmp_path: Path) -> None:
    tower = {name: tensor.half() for name, tensor in random_tower().items()}
    whole = tower | {"logit_scale": torch.tensor(4.6), "token_embedding.weight": torch.ones(5, 2)}
    path = tmp_path / ("clip.safetensors" if kind == "safetensors" else "clip.pt")
    if kind == "torchscript":
        path.write_bytes(torchscript_bytes(whole))
    elif kind == "safetensors":
        save_file(whole, path)
    else:
        torch.save(whole, path, _use_new_zipfile_serialization=kind == "torch")
    found = network_weights.clip_tensors(path)
    assert set(found) == set(tower)
    assert all(torch.equal(found[name], tensor) for name, tensor in tower.items())


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")
def test_the_encoder_comes_out_of_a_weight_folder(no_weights: Path, monkeypatch, tmp_path: Path) -> None:
    tower = random_tower()
    path = tmp_path / weights.CLIP_VIT_B32.file_name
    path.write_bytes(torchscript_bytes(tower))
    monkeypatch.setattr(weights, "CLIP_VIT_B32", replace(weights.CLIP_VIT_B32, sha256=sha256_of_file(path)))
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, str(tmp_path))
    found = network_weights.clip_encoder("cpu", "device").encode(pictures(1, 24))
    assert np.array_equal(found, ImageEncoder(tower, "cpu", "float32").encode(pictures(1, 24)))


def test_without_weights_the_command_is_named(no_weights: Path) -> None:
    with pytest.raises(MissingComponent, match=r"ViT-B-32\.pt.*Run python3 -m _scripts\.download clip-vit-b32"):
        network_weights.clip_encoder("cpu", "float32")
