"""Condition flags, and what they do to features and planes. Source: spec/generator.md §2.5."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from _exchange.errors import InputError
from training.conditioning import (
    CondMode,
    condition_features,
    conditions_of,
    cross_average,
    inject_front,
    lengthened_label,
)

BEST = "ortho_front.cond_img_norm_4.concatfront.crossavg_4.reschonk_add_512.inj_6b_4"


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def conditions(mode: CondMode, image: Tensor | None = None, **others: Tensor):  # type: ignore[no-untyped-def]
    cond = {"image_ortho_front": torch.rand(1, 3, 8, 8) if image is None else image, **others}
    return conditions_of(mode, cond, 1, "cpu")


def test_the_published_mode() -> None:
    assert CondMode.parse(BEST) == CondMode(True, 4.0, True, True, True, 512, 0)
    assert CondMode.parse("none") == CondMode()


def test_front_flags_act_only_behind_the_prefix() -> None:
    mode = CondMode.parse("cond_img_norm_4.concatfront.inj_6b_4.crossavg_4.resnetcond_3")
    assert mode == CondMode(image_gain=4.0, crossavg=True, resnetcond=3)


@pytest.mark.parametrize(
    "flag",
    [
        "gt_sides",
        "dorthoA",
        "add_4",
        "add_shuffle2_4",
        "mult_shuffle2_4",
        "crossavgt_38",
        "concat",
        "",
        "none",
        "reschonk_add_0",
    ],
)
def test_unknown_flags_are_named_with_the_known(flag: str) -> None:
    with pytest.raises(InputError, match=rf"concatfront, .*reschonk_add_<n>.*found '{flag}'"):
        CondMode.parse(f"ortho_front.{flag}")


def test_a_flag_has_one_number_of_a_sensible_size() -> None:
    with pytest.raises(InputError, match=r"one number for reschonk_add in cond_mode, found 'reschonk_add_3\.resch"):
        CondMode.parse("reschonk_add_3.reschonk_add_4")
    assert CondMode.parse("reschonk_add_3.reschonk_add_3").reschonk_add == 3
    with pytest.raises(InputError, match=r"flags of cond_mode out of .*found 'reschonk_add_9{66}\.$"):
        CondMode.parse("reschonk_add_" + "9" * 5000)


@pytest.mark.parametrize("mode", [None, 4])
def test_a_mode_is_text(mode: object) -> None:
    with pytest.raises(InputError, match="cond_mode as text, 'none' for no conditions"):
        CondMode.parse(mode)  # type: ignore[arg-type]


def test_the_front_image_replaces_the_last_channels_upside_down() -> None:
    """Red grows with the row, 0 to 1: after the flip, times 4, the first row holds 4 and the last −4."""
    red = torch.linspace(0, 1, 8)[:, None].expand(8, 8)
    image = torch.stack([red, torch.full((8, 8), 0.5), torch.ones(8, 8)])[None]
    mode = CondMode.parse("ortho_front.cond_img_norm_4.concatfront")
    x = randn(1, 5, 8, 8)
    after = condition_features(mode, conditions(mode, image), x)
    assert torch.equal(after[:, :2], x[:, :2])
    torch.testing.assert_close(after[0, 2], torch.linspace(4, -4, 8)[:, None].expand(8, 8))
    assert not after[0, 3].any()
    assert (after[0, 4] == 4).all()
    quiet = CondMode.parse("ortho_front.concatfront")
    torch.testing.assert_close(condition_features(quiet, conditions(quiet, image), x)[:, 2:], after[:, 2:] / 4)


def test_shrinking_takes_two_by_two_pixels_only() -> None:
    """8 to 2 without antialiasing: new centres at 1.5 and 5.5 average pixels 1, 2 and 5, 6."""
    image = torch.arange(64.0).reshape(1, 1, 8, 8).expand(1, 3, 8, 8) / 64
    mode = CondMode.parse("ortho_front.concatfront")
    after = condition_features(mode, conditions(mode, image), torch.zeros(1, 3, 2, 2))[0, 0]
    flipped = 2 * image[0, 0].flip(0) - 1
    expected = [[flipped[r : r + 2, c : c + 2].mean() for c in (1, 5)] for r in (1, 5)]
    torch.testing.assert_close(after, torch.tensor(expected))


def test_cross_averages_by_hand() -> None:
    x = randn(2, 17, 4, 4)
    after = cross_average(x)
    for b in range(2):
        for k in range(2):
            torch.testing.assert_close(after[b, k], x[b, k].mean(1)[:, None].expand(4, 4))
            torch.testing.assert_close(after[b, 2 + k], x[b, 2 + k].mean(0)[None].expand(4, 4))
    assert torch.equal(after[:, 4:], x[:, 4:])


def test_at_resolution_8_the_feature_map_is_all_there_is() -> None:
    mode, chonk = CondMode.parse(BEST.replace("512", "2")), randn(1, 4, 8, 8, seed=1)
    given, x, img = conditions(mode, resnet_chonk=chonk), randn(1, 16, 8, 8), randn(1, 6, 8, 8)
    after = condition_features(mode, given, x)
    torch.testing.assert_close(after[:, :2], x[:, :2] + chonk[:, :2])
    assert torch.equal(after[:, 2:], x[:, 2:])
    assert torch.equal(inject_front(mode, given, img), img)
    elsewhere = condition_features(mode, given, randn(1, 16, 4, 4))
    torch.testing.assert_close(elsewhere[0, 0, :, 0], elsewhere[0, 0, :, 3])


def test_the_injection_has_its_own_factor() -> None:
    mode, img = CondMode.parse("ortho_front.inj_6b_4"), randn(1, 6, 16, 16)
    after = inject_front(mode, conditions(mode, torch.ones(1, 3, 8, 8)), img)
    torch.testing.assert_close(after[:, :3], img[:, :3] + 4)
    assert torch.equal(after[:, 3:], img[:, 3:])


def test_labels_are_lengthened() -> None:
    mode, c, feats = CondMode.parse("resnetcond_2"), randn(2, 3), randn(2, 5)
    assert torch.equal(lengthened_label(mode, c, {"resnet_feats": feats}), torch.cat([c, feats[:, :2]], 1))
    assert lengthened_label(CondMode(), c, None) is c


def test_nothing_given_is_written_to() -> None:
    mode, image, chonk = CondMode.parse(BEST.replace("512", "2")), torch.rand(1, 3, 8, 8), randn(1, 2, 8, 8)
    kept, x = [image.clone(), chonk.clone()], randn(1, 16, 8, 8)
    features = x.clone()
    condition_features(mode, conditions(mode, image, resnet_chonk=chonk), x)
    assert torch.equal(x, features)
    assert torch.equal(image, kept[0])
    assert torch.equal(chonk, kept[1])


IMAGE, CHONK = torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 8, 8)


@pytest.mark.parametrize(
    ("cond", "sentence"),
    [
        (None, r"condition image_ortho_front \(B, 3, H, W\), found no conditions"),
        ({"resnet_chonk": CHONK}, r"condition image_ortho_front \(B, 3, H, W\), found resnet_chonk"),
        ({"image_ortho_front": IMAGE}, r"condition resnet_chonk \(B, C, 8, 8\), found image_ortho_front"),
        ({"image_ortho_front": IMAGE.byte()}, r"as a tensor of floats, found torch.uint8"),
        ({"image_ortho_front": IMAGE.numpy()}, r"as a tensor of floats, found ndarray"),
        ({"image_ortho_front": IMAGE[:, :1]}, r"image_ortho_front of shape \(B, 3, H, W\), found \(1, 1, 8, 8\)"),
        ({"image_ortho_front": IMAGE.expand(2, 3, 8, 8)}, r"with B = 1, found \(2, 3, 8, 8\)"),
        ({"image_ortho_front": IMAGE / 0}, r"finite numbers in condition image_ortho_front"),
        ({"image_ortho_front": IMAGE, "resnet_chonk": CHONK[:, :1]}, r"at least 2, 8, 8\), found \(1, 1, 8, 8\)"),
        ({"image_ortho_front": IMAGE, "resnet_chonk": CHONK[..., :4]}, r"found \(1, 2, 8, 4\)"),
    ],
)
def test_bad_conditions_are_named(cond: dict | None, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        conditions_of(CondMode.parse(BEST.replace("512", "2")), cond, 1, "cpu")


def test_too_few_features_for_the_label() -> None:
    with pytest.raises(InputError, match=r"resnet_feats of shape \(B, at least 4\), found \(1, 3\)"):
        lengthened_label(CondMode.parse("resnetcond_4"), torch.zeros(1, 2), {"resnet_feats": torch.zeros(1, 3)})
