"""The manifest: what stands in it, against public facts, and what a damaged one says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import torchmetrics

from _databacks.layout import DatasetLayout
from _databacks.manifest import PATH, Gated, manifest, read_manifest
from _databacks.names import ANIMERECON, VROID, VTUBER
from _exchange.digest import sha256_of_file
from _exchange.errors import FormatError, InputError
from _methods.panic3d_files import PUBLISHED_NAMES, WEIGHTS
from tests.shared_data import require

RAW = json.loads(PATH.read_text(encoding="utf-8"))
ENTRIES = [*RAW["files"], *RAW["gated"]]


def file_of(name: str) -> dict[str, Any]:
    return next(entry for entry in RAW["files"] if entry["name"] == name)


# -- what stands in it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", RAW["files"], ids=lambda entry: entry["name"])
def test_every_file_can_be_recognised_and_has_terms(entry: dict[str, Any]) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", entry["sha256"])
    assert entry.get("bytes", entry.get("about_bytes")) > 0
    assert ("url" in entry) != ("by_hand" in entry)
    assert urlsplit(entry.get("url", "https:")).scheme == "https"
    licence = RAW["licences"][entry["licence"]]
    assert licence["name"]
    assert licence["address"].startswith("https://")
    assert licence["sentence"].endswith(".")


@pytest.mark.parametrize("name", ["squeezenet1_1", "alexnet", "vgg16"])
def test_names_of_torchvision_files_end_in_their_digest(name: str) -> None:
    """PyTorch's own rule: the part behind the last minus is how the SHA-256 begins."""
    entry = file_of(name)
    assert entry["sha256"].startswith(Path(entry["file_name"]).stem.rpartition("-")[2])
    assert entry["url"] == f"https://download.pytorch.org/models/{entry['file_name']}"


def test_openai_names_the_digest_in_the_address() -> None:
    entry = file_of("clip-vit-b32")
    assert entry["url"].split("/")[-2] == entry["sha256"]


@pytest.mark.parametrize("network", ["alex", "vgg", "squeeze"])
def test_heads_are_those_of_torchmetrics(network: str) -> None:
    path = Path(torchmetrics.__file__).parent / "functional/image/lpips_models" / f"{network}.pth"
    entry = file_of(f"lpips-heads-{network}")
    assert (entry["sha256"], entry["bytes"]) == (sha256_of_file(path), path.stat().st_size)


def test_the_squeeze_archive_is_the_one_of_the_shared_data() -> None:
    path = require("weights/lpips_v0.1_squeeze_full.npz")
    entry = file_of("lpips-squeeze")
    assert (entry["file_name"], entry["bytes"]) == (path.name, path.stat().st_size)
    assert entry["sha256"] == sha256_of_file(path)


def test_only_small_files_come_unasked() -> None:
    assert [entry["name"] for entry in RAW["files"] if entry.get("on_first_need")] == ["squeezenet1_1"]


@pytest.mark.parametrize("entry", RAW["gated"], ids=lambda entry: entry["name"])
def test_gated_things_say_where_under_which_terms_and_what_then(entry: dict[str, Any]) -> None:
    assert "https://" in entry["where"]
    assert "_data/" in entry["put"]
    assert all(entry[key].endswith(".") for key in ("terms", "put"))
    verb = re.match(r"python3 -m (_scripts\.\w+)", entry["check"])
    assert verb is not None
    assert (PATH.parents[1] / f"{verb[1].replace('.', '/')}.py").is_file()


def test_the_published_weights_are_those_that_panic3d_looks_for(tmp_path: Path) -> None:
    thing = manifest().entry("panic3d")
    assert isinstance(thing, Gated)
    assert len(thing.parts) == len(PUBLISHED_NAMES)
    for part, name in zip(thing.parts, PUBLISHED_NAMES.values()):
        assert part.find(tmp_path) is None
        path = tmp_path / WEIGHTS / "any" / "folder" / f"{name}.ckpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        assert part.find(tmp_path) == path, part.what


@pytest.mark.parametrize(
    ("name", "subset"), [("animerecon", f"{ANIMERECON}_test"), ("vroid", f"{VROID}B_all"), ("vtuber", f"{VTUBER}_all")]
)
def test_lists_of_data_sets_are_where_the_loaders_look(tmp_path: Path, name: str, subset: str) -> None:
    thing = manifest().entry(name)
    assert isinstance(thing, Gated)
    path = DatasetLayout(tmp_path / "_data" / "lustrous").subset(subset)
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert [part.what for part in thing.parts if part.find(tmp_path)] == ["list"]


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(InputError, match=r"Expected names out of squeezenet1_1, .*vtuber, found 'resnet'"):
        manifest().entry("resnet")
    with pytest.raises(InputError, match="'panic3d', which cannot be downloaded"):
        manifest().file("panic3d")


# -- damaged ones ---------------------------------------------------------------------------------------------------


def damaged(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    root = json.loads(PATH.read_text(encoding="utf-8"))
    change(root)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(root), encoding="utf-8")
    return path


def put(kind: str, key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda root: root[kind][0].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda root: root.pop("files"), "'files'"),
        (lambda root: root.__setitem__("version", 2), "version"),
        (lambda root: root.__setitem__("files", {}), "files"),
        (lambda root: root.__setitem__("licences", []), "licences"),
        (lambda root: root["files"].append("alexnet"), r"files\[8\]"),
        (lambda root: root["files"].append(root["files"][0]), "name"),
        (lambda root: root["files"][0].__setitem__("name", "vroid"), "name"),
        (lambda root: root["licences"]["clip"].__setitem__("address", "http://a.org"), r"licences\.clip\.address"),
        (put("files", "sha256", "AB" * 32), r"files\[0\]\.sha256"),
        (put("files", "sha256", "ab" * 31), r"files\[0\]\.sha256"),
        (put("files", "about_bytes", 0), r"files\[0\]\.about_bytes"),
        (put("files", "about_bytes", True), r"files\[0\]\.about_bytes"),
        (put("files", "bytes", 5), r"files\[0\]"),
        (put("files", "by_hand", "Somewhere."), r"files\[0\]"),
        (put("files", "url", "http://a.org/x"), r"files\[0\]\.url"),
        (put("files", "url", "file:///etc/passwd"), r"files\[0\]\.url"),
        (put("files", "url", "https://me:secret@a.org/x"), r"files\[0\]\.url"),
        (put("files", "file_name", "../x.pth"), r"files\[0\]\.file_name"),
        (put("files", "file_name", ".hidden"), r"files\[0\]\.file_name"),
        (put("files", "licence", "unknown"), r"files\[0\]\.licence"),
        (put("files", "licence", ["clip"]), r"files\[0\]\.licence"),
        (put("files", "colour", "red"), "colour"),
        (lambda root: root["files"][1].__setitem__("on_first_need", True), r"files\[1\]\.on_first_need"),
        (lambda root: root["files"][5].__setitem__("in_package", "/etc/passwd"), r"files\[5\]\.in_package"),
        (put("gated", "terms", " "), r"gated\[0\]\.terms"),
        (put("gated", "parts", []), r"gated\[0\]\.parts"),
        (put("gated", "parts", [{"what": "x", "any_of": ["../../*"]}]), r"gated\[0\]\.parts\[0\]\.any_of"),
    ],
)
def test_a_damaged_manifest_names_the_place(tmp_path: Path, change, place: str) -> None:
    with pytest.raises(FormatError, match=place) as caught:
        read_manifest(damaged(tmp_path, change))
    assert caught.value.file == tmp_path / "manifest.json"


def test_the_manifest_itself_can_be_read_again(tmp_path: Path) -> None:
    assert read_manifest(damaged(tmp_path, lambda root: None)) == manifest()
    assert set(manifest().names) == {entry["name"] for entry in ENTRIES}
