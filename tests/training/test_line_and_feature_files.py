"""From the files of the published layout to ready models: PyTorch Lightning, scikit-learn and safetensors files."""

from __future__ import annotations

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from addict import Dict
from sklearn.decomposition import PCA

from _exchange.errors import InputError
from torch_utils.checkpoint import read_checkpoint, write_safetensors
from training.linefill_networks import LineFiller
from training.linefill_weights import linefill_from_checkpoint
from training.resnet50 import ResNet50
from training.tagger import pca_from_checkpoint, tagger_from_checkpoints

MODEL = {"patch_size": 9, "gen_depth": 6, "gen_width": 32, "gen_mask_input": True, "lerp_output": True}


@pytest.fixture(scope="module")
def line_filler():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LineFiller()


def lightning_file(path, state_dict, **hyper_parameters):
    """The layout of spec/linefill.md §7."""
    content = {
        "epoch": 199,
        "global_step": 1000,
        "pytorch-lightning_version": "1.6.3",
        "state_dict": OrderedDict(state_dict),
        "loops": None,
        "callbacks": {},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}]}] * 2,
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": Dict(hyper_parameters),
    }
    torch.save(content, path)
    return path


def test_line_filler_of_a_lightning_file(tmp_path, line_filler):
    path = lightning_file(tmp_path / "epoch=0199.ckpt", line_filler.state_dict(), model=Dict(MODEL), base=Dict())
    found = linefill_from_checkpoint(read_checkpoint(path)).state_dict()
    for name, tensor in line_filler.state_dict().items():
        assert torch.equal(found[name], tensor), name


def test_hyper_parameters_of_another_procedure_are_seen(tmp_path, line_filler):
    path = lightning_file(tmp_path / "last.ckpt", line_filler.state_dict(), model=Dict(MODEL, lerp_output=False))
    with pytest.raises(InputError, match="Expected a line filler with lerp_output = True, found False"):
        linefill_from_checkpoint(read_checkpoint(path))


def test_line_filler_of_a_converted_file(tmp_path, line_filler):
    source = lightning_file(tmp_path / "last.ckpt", line_filler.state_dict(), model=Dict(MODEL, lerp_output=False))
    write_safetensors(read_checkpoint(source), "state_dict", tmp_path / "line_filler.safetensors")
    with pytest.raises(InputError, match="lerp_output"):  # conversion keeps the hyper-parameters
        linefill_from_checkpoint(read_checkpoint(tmp_path / "line_filler.safetensors"))


def test_tagger_of_a_lightning_file_and_a_pickled_pca(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tensors = {f"resnet.{name}": tensor for name, tensor in ResNet50(3).state_dict().items()}
    weights = lightning_file(tmp_path / "epoch=0022-val_f2=0.4461.ckpt", tensors, largs=Dict(size=256))
    fitted = PCA(512, svd_solver="randomized", iterated_power=1, random_state=0)
    fitted.fit(np.random.default_rng(0).normal(size=(520, 2048)).astype(np.float32))
    (tmp_path / "pca.pkl").write_bytes(pickle.dumps(fitted))
    tagger = tagger_from_checkpoints(read_checkpoint(weights), read_checkpoint(tmp_path / "pca.pkl"))
    np.testing.assert_array_equal(tagger.components, fitted.components_)
    np.testing.assert_array_equal(tagger.mean, fitted.mean_)
    for name, tensor in tensors.items():
        assert torch.equal(tagger.state_dict()[name], tensor), name


def test_files_in_each_others_places_are_refused(tmp_path, line_filler):
    path = lightning_file(tmp_path / "last.ckpt", line_filler.state_dict())
    checkpoint = read_checkpoint(path)
    with pytest.raises(InputError, match="Expected a PCA, found none of the tensors components_, mean_"):
        pca_from_checkpoint(checkpoint)
    fitted = PCA(2).fit(np.random.default_rng(0).normal(size=(5, 4)))
    (tmp_path / "pca.pkl").write_bytes(pickle.dumps(fitted))
    with pytest.raises(InputError, match="Expected a line filler with weights of convolutions"):
        linefill_from_checkpoint(read_checkpoint(tmp_path / "pca.pkl"))
