"""Where network weights are looked for, what is refused, and what a missing file says."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from _exchange.digest import sha256_of_bytes, sha256_of_file
from _exchange.errors import FormatError, InputError, MissingComponent
from _measure import network_weights, weights
from _measure.metrics.lpips import LpipsNetwork
from _measure.networks.alexnet import AlexNetFeatures
from tests.databacks.misbehaving_server import CONTENT, served_file, serving, whole, without_proxies


def manifest_with(monkeypatch: pytest.MonkeyPatch, name: str, **changes) -> weights.WeightFile:
    """The manifest with one changed entry, so that tests can make a file that matches it."""
    changed = replace(weights.weight_file_named(name), **changes)
    backbones = {n: tuple(changed if f.name == name else f for f in fs) for n, fs in weights._BACKBONES.items()}
    monkeypatch.setattr(weights, "_BACKBONES", backbones)
    return changed


def random_alexnet(path: Path) -> None:
    torch.save({**AlexNetFeatures().state_dict(), "classifier.1.weight": torch.zeros(2, 2)}, path)


def test_folders_of_the_variable_come_before_the_cache(no_weights: Path, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]))
    assert weights.search_folders() == (tmp_path / "a", tmp_path / "b", no_weights)


def test_published_file_with_a_network_and_heads(no_weights: Path, monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / weights.ALEXNET.file_name
    random_alexnet(path)
    manifest_with(monkeypatch, "alexnet", sha256=sha256_of_file(path))
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, str(tmp_path))
    found = network_weights.lpips_weights("alex")
    assert found.source == weights.ALEXNET.file_name
    assert not [name for name in found.tensors if name.startswith("classifier")]
    LpipsNetwork("alex", found.tensors)


def test_shared_squeeze_archive_has_torchvisions_names(shared_squeeze_weights: network_weights.NetworkWeights) -> None:
    network = LpipsNetwork("squeeze", shared_squeeze_weights.tensors)
    archive = np.load(Path(os.environ[weights.FOLDERS_VARIABLE]) / shared_squeeze_weights.source)
    stored = archive["net.slice5.10.expand3x3.weight"]
    np.testing.assert_array_equal(network.backbone.features[10].expand3x3.weight.numpy(), stored)
    for layer, head in enumerate(network.heads):
        ours = network_weights.linear_heads("squeeze")[f"lin{layer}.model.1.weight"]
        np.testing.assert_array_equal(head.numpy(), ours.numpy())


def test_a_torn_archive_is_named(no_weights: Path, monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / weights.LPIPS_SQUEEZE.file_name
    np.savez(path, a=np.ones(300))
    path.write_bytes(path.read_bytes()[:-10])
    manifest_with(monkeypatch, "lpips-squeeze", sha256=sha256_of_file(path))
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, str(tmp_path))
    with pytest.raises(FormatError, match=rf"^{path.name}: expected an \.npz archive of plain arrays"):
        network_weights.lpips_weights("squeeze")


def test_a_missing_network_names_the_command(no_weights: Path) -> None:
    with pytest.raises(MissingComponent) as caught:
        network_weights.lpips_weights("alex")
    assert "alexnet-owt-7be5be79.pth" in str(caught.value)
    assert caught.value.next_step == "Run python3 -m _scripts.download alexnet"
    assert caught.value.exit_code == 3


def test_missing_clip_names_the_one_command(no_weights: Path) -> None:
    with pytest.raises(MissingComponent, match=r"ViT-B-32\.pt of CLIP") as caught:
        weights.clip_file(may_download=True)
    assert caught.value.next_step == "Run python3 -m _scripts.download clip-vit-b32"


def test_clip_counts_only_with_its_digest(no_weights: Path) -> None:
    no_weights.mkdir(parents=True)
    (no_weights / "ViT-B-32.pt").write_bytes(b"another network")
    with pytest.raises(InputError, match=weights.CLIP_VIT_B32.sha256):
        weights.clip_file()


def test_large_files_are_never_fetched_unasked() -> None:
    assert not any(file.on_first_need for file in (weights.ALEXNET, weights.VGG16, weights.CLIP_VIT_B32))
    assert weights.SQUEEZENET.on_first_need


def test_a_wrong_digest_is_refused_not_used(no_weights: Path, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / weights.ALEXNET.file_name).write_bytes(b"something else")
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=f"{weights.ALEXNET.sha256}.*{sha256_of_bytes(b'something else')}"):
        network_weights.lpips_weights("alex")


def test_a_small_file_is_fetched_into_the_cache_once_and_shows_its_licence(no_weights, monkeypatch, capsys) -> None:
    without_proxies(monkeypatch)
    with serving(whole()) as server:
        entry = served_file(server.address)
        changed = manifest_with(
            monkeypatch, "squeezenet1_1", url=entry.url, sha256=entry.sha256, size=entry.size, size_is_exact=True
        )
        file, path = weights.lpips_file("squeeze")
        assert weights.lpips_file("squeeze") == (file, path)
    assert (file, path) == (changed, no_weights / "squeezenet1_1-b8a52dc0.pth")
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert capsys.readouterr().err.count("https://github.com/pytorch/vision/blob/main/LICENSE") == 1


def test_what_is_fetched_with_a_wrong_digest_is_missing_not_used(no_weights: Path, monkeypatch) -> None:
    without_proxies(monkeypatch)
    with serving(whole(b"tampered" * 1000)) as server:
        manifest_with(monkeypatch, "squeezenet1_1", url=f"{server.address}/x", size=8000, size_is_exact=True)
        with pytest.raises(MissingComponent, match="not kept") as caught:
            network_weights.lpips_weights("squeeze")
    assert "Run python3 -m _scripts.download squeezenet1_1" in caught.value.next_step
    assert list(no_weights.iterdir()) == []


def test_an_unreachable_address_is_one_sentence(no_weights: Path, monkeypatch) -> None:
    without_proxies(monkeypatch)
    with serving(whole()) as server:
        address = server.address
    manifest_with(monkeypatch, "squeezenet1_1", url=f"{address}/absent.pth")
    with pytest.raises(MissingComponent, match=r"Expected to download .*absent\.pth, found no way to it"):
        network_weights.lpips_weights("squeeze")


def test_a_pickle_that_would_run_code_is_refused(no_weights: Path, monkeypatch, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    path = tmp_path / weights.ALEXNET.file_name
    buffer = io.BytesIO()
    torch.save({"features.0.weight": torch.zeros(1)}, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            evil = name.endswith("data.pkl")
            target.writestr(name, pickle.dumps(Evil(), protocol=2) if evil else source.read(name))
    manifest_with(monkeypatch, "alexnet", sha256=sha256_of_file(path))
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, str(tmp_path))
    with pytest.raises(FormatError, match="plain tensors"):
        network_weights.lpips_weights("alex")
    assert not (tmp_path / "owned").exists()
