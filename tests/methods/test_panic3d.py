"""The method `panic3d`: its parts are found and named, its results repeat, and it passes through `generate`."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from scipy import ndimage
from sklearn.decomposition import PCA

from _databacks.alignment import keypoints_through
from _exchange.camera import ORTHO, standard_camera
from _exchange.digest import sha256_of_file
from _exchange.errors import InputError, MissingComponent
from _exchange.items import ItemId
from _exchange.pictures import composite_on_white, read_picture
from _exchange.protocol import CORRECTED, PAPER, Protocol
from _exchange.run_record import RunRecord
from _methods import panic3d_files, registry
from _methods.generate import GenerateOptions, generate
from _methods.interface import Method, MethodSettings, Rendering
from tests.methods.panic3d_files import write_generator, write_line_filler
from tests.methods.test_generate import results
from tests.methods.tiny_dataset import TinyDataset, method_input, portrait_of_disc
from training.linefill import LineFiller, fill_lines
from training.resnet50 import ResNet50

FRONT, SIDE = ORTHO["front"], standard_camera("rgb60_0044")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """A working folder without weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A generator that knows no line filler, one that does, and a line filler."""
    folder = tmp_path_factory.mktemp("weights")
    write_generator(folder / "alone.safetensors", trained_without=("line_filler",))
    write_generator(folder / "with_lines.safetensors")
    write_line_filler(folder / "lines.ckpt")
    return folder


def method(files: Path, protocol: Protocol = CORRECTED, name: str = "alone", **options: object) -> Method:
    options = {"checkpoint": str(files / f"{name}.safetensors"), **options}
    return registry.find("panic3d").load(MethodSettings(protocol=protocol, options=options))


def rendered(one: Method, camera=FRONT, name: str = "made/disc") -> Rendering:
    one.set_item(method_input(portrait_of_disc(150), name))
    return one.render(camera)


# -- parts ------------------------------------------------------------------------------------------------------


def test_without_weights_the_sentence_says_where_to_put_them() -> None:
    with pytest.raises(
        MissingComponent, match=r"checkpoint of the generator.*--checkpoint FILE.*network-snapshot-000200"
    ):
        registry.find("panic3d").load(MethodSettings())


def test_a_missing_line_filler_is_named_and_can_be_done_without(files: Path) -> None:
    with pytest.raises(MissingComponent, match=r"Expected the line filler.*epoch=0199.*--line-filler none"):
        method(files, name="with_lines")
    method(files, name="with_lines", line_filler="none")


def test_a_missing_feature_extractor_is_named_where_the_model_needs_one(files: Path, tmp_path: Path) -> None:
    mode = "ortho_front.cond_img_norm_4.concatfront.reschonk_add_8"
    write_generator(tmp_path / "seeing.safetensors", trained_without=("line_filler",), cond_mode=mode)
    with pytest.raises(MissingComponent, match="the feature extractor, which this model needs"):
        method(tmp_path, name="seeing")
    (tmp_path / "tagger.ckpt").write_bytes(b"")
    with pytest.raises(MissingComponent, match="principal components"):
        method(tmp_path, name="seeing", feature_extractor=str(tmp_path / "tagger.ckpt"))


def test_a_file_that_is_not_there_and_an_unknown_option_are_refused(files: Path) -> None:
    with pytest.raises(InputError, match=r"checkpoint of the generator in .*nowhere\.safetensors, found no file"):
        method(files, name="nowhere")
    with pytest.raises(InputError, match="engine out of plain, fast, found 'warp'"):
        method(files, engine="warp")
    with pytest.raises(InputError, match="surface search out of everywhere, near, found 'there'"):
        method(files, surface_search="there")
    with pytest.raises(InputError, match="protocol corrected for the surface search near"):
        method(files, PAPER, surface_search="near")
    with pytest.raises(InputError, match="found the option 'colour'"):
        method(files, colour="red")


@pytest.mark.parametrize("name", ["network-snapshot-000200.pkl", "network-snapshot-000200.safetensors"])
def test_published_files_are_found_below_their_folder(files: Path, name: str) -> None:
    place = panic3d_files.WEIGHTS / "_train" / "runs" / name
    place.parent.mkdir(parents=True)
    place.write_bytes((files / "alone.safetensors").read_bytes())
    assert panic3d_files.find_file("checkpoint", "") == place
    assert panic3d_files.find_file("checkpoint", str(files / "alone.safetensors")) == files / "alone.safetensors"


def test_every_file_that_decides_results_has_a_digest_and_the_note_is_the_checkpoint_s(files: Path) -> None:
    one = method(files, name="with_lines", line_filler=str(files / "lines.ckpt"))
    assert one.digests() == {
        "checkpoint": sha256_of_file(files / "with_lines.safetensors"),
        "line_filler": sha256_of_file(files / "lines.ckpt"),
    }
    assert one.note() == "Random weights: pictures and numbers mean nothing."


def test_the_line_filled_portrait_is_kept_as_the_generator_saw_it(files: Path) -> None:
    """Over white it is the line filler's front, computed here on its own; other models take the portrait as it is."""
    one = method(files, name="with_lines", line_filler=str(files / "lines.ckpt"))
    given = method_input(portrait_of_disc(150))
    one.set_item(given)
    prepared = one.prepared_input()
    filler = LineFiller()
    filler.load_state_dict(torch.load(files / "lines.ckpt", weights_only=True)["state_dict"])
    keypoints = keypoints_through(given.alignment.transformation, given.alignment.keypoints)
    np.testing.assert_array_equal(
        composite_on_white(prepared), fill_lines(filler.eval(), given.portrait, keypoints).front
    )
    assert (composite_on_white(prepared) != composite_on_white(given.portrait)).any()
    plain = method(files)
    plain.set_item(given)
    assert plain.prepared_input() is None


def test_cuda_where_there_is_none_is_a_missing_component(files: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    settings = MethodSettings(device="cuda", options={"checkpoint": str(files / "alone.safetensors")})
    with pytest.raises(MissingComponent, match="cuda"):
        registry.find("panic3d").load(settings)


WRONG_SETTINGS = [
    ({"ray_start": "auto", "ray_end": "auto"}, "expected ray_start in metres for pasting, found 'auto'"),
    ({"clamp_mode": "relu"}, "expected clamp_mode 'softplus', found 'relu'"),
    ({"density_noise": "some"}, "expected density_noise to be a finite number, found 'some'"),
    ({"box_warp": 0}, "expected box_warp above 0 metres, found 0"),
    ({"superresolution_noise_mode": "some"}, "expected noise mode random, const, none, found 'some'"),
    ({"c_scale": "x"}, "expected c_scale to be a finite number, found 'x'"),
]


@pytest.mark.parametrize(("live", "sentence"), WRONG_SETTINGS, ids=[next(iter(live)) for live, _ in WRONG_SETTINGS])
def test_a_model_that_can_make_no_picture_is_refused_before_the_first_item(
    tmp_path: Path, live: dict[str, object], sentence: str
) -> None:
    write_generator(tmp_path / "odd.safetensors", trained_without=("line_filler",), live=live)
    for protocol in (PAPER, CORRECTED):
        with pytest.raises(InputError, match=rf"^odd\.safetensors: {sentence}\."):
            method(tmp_path, protocol, name="odd")


def test_styles_that_follow_the_camera_are_refused_in_paper_alone(tmp_path: Path) -> None:
    live = {"c_gen_conditioning_zero": False}
    write_generator(tmp_path / "seeing.safetensors", trained_without=("line_filler",), live=live)
    with pytest.raises(InputError, match=r"^seeing\.safetensors: .*Use the protocol corrected\.$"):
        method(tmp_path, PAPER, name="seeing")
    assert rendered(method(tmp_path, CORRECTED, name="seeing")).alpha.any()


def test_files_of_another_kind_are_refused_by_name(files: Path, tmp_path: Path) -> None:
    def refused(sentence: str, **options: str) -> None:
        with pytest.raises(InputError, match=sentence):
            method(files, **options)

    (tmp_path / "text.pkl").write_text("hello")
    refused("folder, found no file", checkpoint=str(tmp_path / "folder"))
    refused("^text.pkl: .*expected a pickle", checkpoint=str(tmp_path / "text.pkl"))
    refused("^lines.ckpt: .*expected a generator's constructor arguments", checkpoint=str(files / "lines.ckpt"))
    refused("^alone.safetensors: expected a line filler", line_filler=str(files / "alone.safetensors"))
    write_generator(tmp_path / "nan.safetensors", filled={"decoder.net.0.bias": float("nan")})
    refused("^nan.safetensors: expected finite .* in decoder.net.0.bias", checkpoint=str(tmp_path / "nan.safetensors"))
    write_generator(tmp_path / "wordy.safetensors", note=["x"])  # type: ignore[arg-type]
    refused("^wordy.safetensors: note: expected a sentence", checkpoint=str(tmp_path / "wordy.safetensors"))


def test_only_the_stream_of_paper_limits_seeds(files: Path) -> None:
    for protocol, seed in ((PAPER, 2**64 - 1), (CORRECTED, 2**64), (CORRECTED, -1)):
        options = {"checkpoint": str(files / "alone.safetensors")}
        registry.find("panic3d").load(MethodSettings(seed=seed, protocol=protocol, options=options))
    for seed in (2**64, -1):
        with pytest.raises(InputError, match=rf"seed from 0 to 2\^64 - 1.*found {seed}"):
            registry.find("panic3d").load(MethodSettings(seed=seed, protocol=PAPER, options=options))


# -- pictures ---------------------------------------------------------------------------------------------------


def test_the_front_view_shows_the_portrait_where_it_was_pasted(tmp_path: Path) -> None:
    write_generator(tmp_path / "finer.safetensors", trained_without=("line_filler",), render_size=64)
    shown = rendered(method(tmp_path, name="finer"))
    picture, unpasted = (composite_on_white(rgba).astype(int) for rgba in (shown.rgba(), shown.unpasted))
    portrait = composite_on_white(portrait_of_disc(150)).astype(int)
    pasted = (abs(picture - unpasted) > 8).any(axis=-1)
    # A pixel of the model is 8 pixels wide: borders of the disc and of what was pasted blend over two of them.
    flat = ndimage.maximum_filter(portrait, (33, 33, 1)) == ndimage.minimum_filter(portrait, (33, 33, 1))
    inside = ndimage.binary_erosion(pasted, np.ones((33, 33))) & flat.all(axis=-1)
    assert inside.sum() > 500
    assert (abs(picture - portrait)[inside] <= 2).all()
    assert (abs(unpasted - portrait)[inside] > 2).any(axis=-1).mean() > 0.9


def test_positions_lie_on_the_rays_of_the_front_view(files: Path) -> None:
    shown = rendered(method(files))
    met = np.isfinite(shown.position[..., 0])
    assert 0.05 < met.mean() < 0.95
    assert (shown.alpha[met] >= 127).all()
    centres = ((np.arange(512) + 0.5) / 512 - 0.5) * 0.7
    # 12 render pixels of 58 mm; means over blended pixels stay within one of them.
    assert abs(shown.position[..., 0] - centres)[met].max() < 0.7 / 12
    assert abs(shown.position[..., 1] + centres[:, None])[met].max() < 0.7 / 12


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED], ids=["paper", "corrected"])
def test_pictures_repeat_in_any_order_and_in_another_process_s_method(files: Path, protocol: Protocol) -> None:
    one, other = method(files, protocol), method(files, protocol)
    first = [rendered(one, camera).rgba() for camera in (FRONT, SIDE)]
    second = [rendered(other, camera).rgba() for camera in (SIDE, FRONT)]
    assert (first[0] == second[1]).all()
    assert (first[1] == second[0]).all()


def test_only_corrected_draws_by_character_and_seed(files: Path) -> None:
    def differ(protocol: Protocol, **changes: str) -> bool:
        shown = [
            rendered(method(files, protocol), SIDE, name).rgba() for name in ("made/a", changes.get("name", "made/a"))
        ]
        return bool((shown[0] != shown[1]).any())

    assert not differ(PAPER, name="made/b")
    assert differ(CORRECTED, name="made/b")
    assert not differ(CORRECTED)


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED], ids=["paper", "corrected"])
def test_both_engines_make_the_same_character(files: Path, protocol: Protocol) -> None:
    plain, fast = (method(files, protocol, engine=engine) for engine in ("plain", "fast"))
    pictures = [rendered(one, SIDE) for one in (plain, fast)]
    difference = abs(pictures[0].unpasted.astype(int) - pictures[1].unpasted)
    assert difference.mean() < 0.05
    meshes = [one.mesh(24) for one in (plain, fast)]
    assert len(meshes[0].faces) == len(meshes[1].faces) > 100
    assert abs(meshes[0].verts - meshes[1].verts).max() < 1e-4


def test_a_line_filler_changes_what_the_generator_sees(files: Path) -> None:
    portrait = portrait_of_disc(150)
    portrait[250:253, :, :3] = 0  # a drawn line
    pictures = []
    for filler in ("none", str(files / "lines.ckpt")):
        one = method(files, name="with_lines", line_filler=filler)
        one.set_item(method_input(portrait))
        pictures.append(one.render(SIDE).rgba())
    assert (pictures[0] != pictures[1]).any()


def test_features_of_the_portrait_reach_the_generator(tmp_path: Path) -> None:
    mode = "ortho_front.cond_img_norm_4.concatfront.reschonk_add_8"
    checkpoint = write_generator(tmp_path / "seeing.safetensors", trained_without=("line_filler",), cond_mode=mode)
    fitted = PCA(512)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = {f"resnet.{name}": value for name, value in ResNet50(3).state_dict().items()}
        fitted.components_ = torch.randn(512, 2048).numpy()
        fitted.mean_ = torch.zeros(2048).numpy()
    torch.save({"state_dict": state}, tmp_path / "tagger.ckpt")
    pictures = []
    for factor in (1, 2):
        fitted.components_ = factor * fitted.components_
        (tmp_path / "pca.pkl").write_bytes(pickle.dumps(fitted))
        options = {"feature_extractor": str(tmp_path / "tagger.ckpt"), "feature_pca": str(tmp_path / "pca.pkl")}
        one = registry.find("panic3d").load(MethodSettings(options={"checkpoint": str(checkpoint), **options}))
        assert set(one.digests()) == {"checkpoint", "feature_extractor", "feature_pca"}
        pictures.append(rendered(one, SIDE).rgba())
    assert (pictures[0] != pictures[1]).any()


# -- runs -------------------------------------------------------------------------------------------------------


def test_a_run_repeats_byte_for_byte_with_any_number_of_workers(files: Path, tmp_path: Path) -> None:
    settings = MethodSettings(options={"checkpoint": str(files / "alone.safetensors")})
    options = GenerateOptions(out=tmp_path / "one", method="panic3d", settings=settings, resolution=16)
    summary = generate(TinyDataset(count=2), options)
    assert summary.failed == {}
    record = RunRecord.read(summary.run.record)
    assert (record.note, record.protocol) == ("Random weights: pictures and numbers mean nothing.", "corrected")
    item = summary.run.item(ItemId("made", "disc0"))
    assert (read_picture(item.render("rgb60_0042")) != read_picture(item.unpasted_render("rgb60_0042"))).any()
    generate(TinyDataset(count=2), replace(options, out=tmp_path / "two", workers=2))
    assert results(tmp_path / "one") == results(tmp_path / "two")


def test_a_run_goes_on_with_the_same_weights_in_another_place(files: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    places = [tmp_path / "alone.safetensors", tmp_path / "elsewhere" / "named.safetensors"]
    for path, count in zip(places, (1, 2)):
        path.write_bytes((files / "alone.safetensors").read_bytes())
        settings = MethodSettings(options={"checkpoint": str(path), "line_filler": "none"})
        options = GenerateOptions(out=tmp_path / "run", method="panic3d", settings=settings, resolution=16)
        summary = generate(TinyDataset(count=count), options)
        assert (summary.made, summary.kept) == (1, count - 1)
    assert str(tmp_path) not in summary.run.record.read_text()
    assert RunRecord.read(summary.run.record).settings["line_filler"] == "none"


def test_pictures_that_are_not_finite_are_a_failure_and_no_files(tmp_path: Path) -> None:
    # Weights near the limit of float32 are finite and what they make is not.
    steep = {"superresolution.block1.torgb.weight": 3e38}
    write_generator(tmp_path / "steep.safetensors", trained_without=("line_filler",), filled=steep, sr_num_fp16_res=0)
    settings = MethodSettings(options={"checkpoint": str(tmp_path / "steep.safetensors")})
    options = GenerateOptions(out=tmp_path / "run", method="panic3d", settings=settings, resolution=16)
    summary = generate(TinyDataset(count=1), options)
    assert "finite colours and positions of made/disc0, found NaN or infinity" in summary.failed["made/disc0"]
    assert summary.run.item(ItemId("made", "disc0")).result_files() == []


def test_a_run_asked_for_textures_has_a_second_surface(files: Path, tmp_path: Path) -> None:
    settings = MethodSettings(options={"checkpoint": str(files / "alone.safetensors")})
    options = GenerateOptions(out=tmp_path / "run", method="panic3d", settings=settings, resolution=16, textured=True)
    run = generate(TinyDataset(count=1), options).run
    assert RunRecord.read(run.record).settings["textured"] is True
    surface = trimesh.load(run.item(ItemId("made", "disc0")).textured_mesh, force="mesh")
    assert min(surface.visual.material.baseColorTexture.size) >= 1024
    assert 0.01 < abs(surface.bounds).max() <= 0.35 + 1e-4


def test_a_baseline_that_is_asked_for_textures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="makes textured surfaces, such as panic3d, found billboard"):
        generate(TinyDataset(count=1), GenerateOptions(out=tmp_path / "run", method="billboard", textured=True))


def test_the_usual_resolution_is_that_of_the_publication(files: Path) -> None:
    assert method(files).default_resolution == 256
