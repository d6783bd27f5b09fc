"""Author and licence of every file, whatever its version, end up in the table beside the pictures."""

from __future__ import annotations

import csv
import json

import pytest

from tests.databacks.preparing import own, run
from tests.databacks.tiny_characters import cube
from tests.databacks.vrm.handmade import HEAD_AT, character

META_0 = {
    "title": "Null",
    "version": "1.2",
    "author": "A. Uthor",
    "contactInformation": "a@example.org",
    "reference": "https://example.org/a",
    "allowedUserName": "Everyone",
    "violentUssageName": "Disallow",
    "sexualUssageName": "Disallow",
    "commercialUssageName": "Allow",
    "otherPermissionUrl": "",
    "licenseName": "CC_BY_NC",
    "otherLicenseUrl": "https://example.org/terms",
    "texture": 0,
}
META_1 = {
    "name": "Eins",
    "version": "2",
    "authors": ["B. Author", "C. Author"],
    "copyrightInformation": "© B",
    "licenseUrl": "https://vrm.dev/licenses/1.0/",
    "avatarPermission": "everyone",
    "allowRedistribution": False,
    "creditNotation": "required",
    "modification": "prohibited",
    "thumbnailImage": 0,
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Rows of the table by item: a VRM 0.x, a VRM 1.0, and plain GLB files with and without a copyright."""
    root = tmp_path_factory.mktemp("attribution")
    (root / "in").mkdir()
    for name, version, block, meta in (("null.vrm", "0.x", "VRM", META_0), ("eins.vrm", "1.0", "VRMC_vrm", META_1)):
        builder = character(version, positions=cube())
        builder.gltf["extensions"][block]["meta"] = meta
        (root / "in" / name).write_bytes(builder.to_bytes())
    for name, asset in (("plain.glb", {"copyright": "© D"}), ("silent.glb", {})):
        builder = character("", positions=cube())
        builder.gltf["asset"] = {"version": "2.0"} | asset
        (root / "in" / name).write_bytes(builder.to_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANIME3D_PROGRESS", "off")
        assert run(root / "in", root / "out", head_position=tuple(HEAD_AT.tolist())).failed == 0
    with open(own(root / "out") / "attribution.csv", newline="", encoding="utf-8") as stream:
        table = {row["item"]: row for row in csv.DictReader(stream)}
    listed = json.loads((own(root / "out") / "attribution.json").read_text(encoding="utf-8"))
    assert [row["item"] for row in listed] == list(table)
    for row in listed:
        assert {key: value for key, value in table[row["item"]].items() if value} == row
    return table


def test_every_text_of_a_vrm_0_meta_block_is_kept(rows):
    texts = {key: value for key, value in META_0.items() if value and key != "texture"}
    assert texts.items() <= rows["own/null"].items()
    assert rows["own/null"]["licence"] == "CC_BY_NC"


def test_a_vrm_1_meta_block_answers_the_same_questions(rows):
    row = rows["own/eins"]
    assert (row["title"], row["author"], row["licence"]) == ("Eins", "B. Author, C. Author", META_1["licenseUrl"])
    assert (row["allowRedistribution"], row["modification"], row["creditNotation"]) == (
        "false",
        "prohibited",
        "required",
    )


def test_plain_files_have_what_gltf_gives_them(rows):
    assert rows["own/plain"]["copyright"] == "© D"
    assert not any(rows["own/silent"][column] for column in ("title", "author", "licence", "copyright"))
    assert all(len(row["sha256"]) == 64 for row in rows.values())
