"""What `doctor` says of the weights of `panic3d`."""

from __future__ import annotations

from pathlib import Path

import pytest

from _methods.findings import weight_findings


def test_what_is_here_is_named_and_what_is_not_comes_with_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = Path("_data/weights/panic3d/anywhere/pca.pkl")
    place.parent.mkdir(parents=True)
    place.touch()
    found = {finding.what: finding for finding in weight_findings()}
    assert [name for name, finding in found.items() if finding.present] == ["panic3d feature pca"]
    assert found["panic3d feature pca"].sentence == str(place)
    assert "network-snapshot-000200" in found["panic3d checkpoint"].fix
    assert not any(finding.needed for finding in found.values())
