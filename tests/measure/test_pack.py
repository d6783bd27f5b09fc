"""Archives of runs: the same bytes every time, other programs read them, and nothing hostile is believed."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import IO

import pytest

from _exchange.command import execute
from _exchange.errors import CheckFailed, FormatError, InputError
from _measure.integrity import pack
from _measure.integrity.check import check_seal
from _measure.integrity.pack import Pack, check_pack, header_of, pack_run
from _measure.integrity.seal import read_seal
from _scripts.pack import Pack as PackVerb
from _scripts.pack import run as pack_verb
from tests.measure.report.small_run import ODD, SmallRun
from tests.measure.sealed_run import SEALS, copy_sealed, make_complete_run, seal


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """Sealed; not to be changed."""
    small = make_complete_run(tmp_path_factory.mktemp("packed"))
    seal(small)
    return small


@pytest.fixture(scope="module")
def archive(made: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without data and report; not to be changed."""
    return pack_run(made.run.path, tmp_path_factory.mktemp("archive") / "run.tar").path


@pytest.fixture
def sealed(made: SmallRun, tmp_path: Path) -> SmallRun:
    return copy_sealed(made, tmp_path)


def rewritten(archive: Path, target: Path, change: Callable[[bytearray], object]) -> Path:
    content = bytearray(archive.read_bytes())
    change(content)
    target.write_bytes(content)
    return target


# -- what is in it ----------------------------------------------------------------------------------------------


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(made: SmallRun, tmp_path: Path) -> None:
    one = pack_run(made.run.path, tmp_path / "one.tar")
    copied = shutil.copytree(made.run.path, tmp_path / "other" / "place")
    two = pack_run(copied, tmp_path / "two.tar")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.sha256 == two.sha256 == sha256(one.path.read_bytes()).hexdigest()
    assert list(tmp_path.glob(".partial-*")) == []


def test_other_programs_read_it_and_find_the_files_of_the_run(made: SmallRun, archive: Path) -> None:
    with tarfile.open(archive, "r:") as tar:
        members = tar.getmembers()
        content = {member.name: tar.extractfile(member).read() for member in members}
    assert members[0].name == "run/seal.json"
    assert {(m.isreg(), m.mode, m.mtime, m.uid, m.gid, m.uname) for m in members} == {(True, 0o644, 0, 0, 0, "")}
    files = {path.relative_to(made.run.path).as_posix(): path for path in made.run.path.rglob("*") if path.is_file()}
    kept = {name: path for name, path in files.items() if not name.startswith(("verify.", "report"))}
    assert content == {f"run/{name}": path.read_bytes() for name, path in kept.items()}
    assert any(str(ODD) in name for name in content)


def test_what_the_system_unpacks_is_a_sealed_run(archive: Path, made: SmallRun, tmp_path: Path) -> None:
    if shutil.which("tar") is None:
        pytest.skip("there is no tar")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    report = check_seal(tmp_path / "run", data=made.data)
    assert (report.intact, report.unchecked, report.unsealed) == (True, {}, ())


def test_a_pack_is_checked_without_its_dataset_and_with_it(made: SmallRun, archive: Path) -> None:
    counts = {section: len(names) for section, names in read_seal(made.run.seal).files.items()}
    report = check_pack(archive)
    assert report.intact
    assert (report.checked, report.unchecked) == (counts["run"], {"dataset": counts["dataset"]})
    beside = check_pack(archive, data=made.data)
    assert (beside.checked, beside.unchecked) == (counts["run"] + counts["dataset"], {})


def test_with_data_it_holds_the_dataset_and_says_whose_it_is(made: SmallRun, tmp_path: Path) -> None:
    packed = pack_run(made.run.path, tmp_path / "whole.tar", with_data=True)
    report = check_pack(packed.path)
    assert (report.intact, report.unchecked, report.checked) == (True, {}, packed.files - 1)
    assert "licences" in packed.text
    assert "licences" not in Pack(Path("a.tar"), "0", 1, 1, False).text
    with tarfile.open(packed.path, "r:") as tar:
        assert "dataset/renders/daredemoE/attribution.csv" in tar.getnames()


def test_with_report_it_holds_verdicts_and_report_under_their_own_seals(made: SmallRun, tmp_path: Path) -> None:
    packed = pack_run(made.run.path, tmp_path / "reported.tar", with_report=True)
    report = check_pack(packed.path)
    assert (report.intact, report.unsealed, report.checked) == (True, (), packed.files - len(SEALS))
    with tarfile.open(packed.path, "r:") as tar:
        places = {member.name: member.offset_data for member in tar}
    for name in ("run/verify.json", "run/report/pictures/one.webp"):
        at = places[name]
        target = rewritten(packed.path, tmp_path / "flipped.tar", lambda content, at=at: content.__setitem__(at, 0))
        assert check_pack(target).differ == (name,)


def test_a_changed_report_is_not_packed(sealed: SmallRun, tmp_path: Path) -> None:
    sealed.run.report.write_text("<html>changed")
    with pytest.raises(CheckFailed, match=r"found run/report/index\.html changed"):
        pack_run(sealed.run.path, tmp_path / "run.tar", with_report=True)


def test_a_file_that_changes_while_it_is_packed_leaves_no_archive(
    sealed: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = pack._add

    def change_then_add(stream: IO[bytes], name: str, path: Path) -> None:
        if name == "run/scores.jsonl":
            path.write_bytes(path.read_bytes().swapcase())
        add(stream, name, path)

    monkeypatch.setattr(pack, "_add", change_then_add)
    with pytest.raises(CheckFailed, match=r"stay as they are while they are packed, found run/scores\.jsonl changed"):
        pack_run(sealed.run.path, tmp_path / "run.tar")
    assert list(tmp_path.glob("*.tar")) == list(tmp_path.glob(".partial-*")) == []


def test_long_and_foreign_names_go_through(sealed: SmallRun, tmp_path: Path) -> None:
    odd = sealed.run.path / "items" / ("キャラ" * 20) / ("b" * 200) / "mesh.glb"
    odd.parent.mkdir(parents=True)
    odd.write_bytes(b"a mesh")
    seal(sealed)
    archive = pack_run(sealed.run.path, tmp_path / "long.tar").path
    assert check_pack(archive).intact
    with tarfile.open(archive, "r:") as tar:
        name = f"run/{odd.relative_to(sealed.run.path).as_posix()}"
        assert tar.extractfile(name).read() == b"a mesh"


# -- what is refused at packing ---------------------------------------------------------------------------------


def test_a_changed_run_is_not_packed(sealed: SmallRun, tmp_path: Path) -> None:
    sealed.run.scores.write_bytes(b"")
    with pytest.raises(CheckFailed, match=r"found run/scores\.jsonl changed"):
        pack_run(sealed.run.path, tmp_path / "run.tar")
    sealed.run.seal.unlink()
    with pytest.raises(InputError, match="Expected the seal"):
        pack_run(sealed.run.path, tmp_path / "run.tar")
    assert not (tmp_path / "run.tar").exists()


def test_targets_that_are_no_archive_or_lie_in_the_run_are_refused(made: SmallRun, tmp_path: Path) -> None:
    for target in (tmp_path / "run.zip", made.run.path / "run.tar"):
        with pytest.raises(InputError, match=r"a file \*\.tar outside the run"):
            pack_run(made.run.path, target)


def test_a_dataset_that_is_not_here_cannot_be_packed(sealed: SmallRun, tmp_path: Path) -> None:
    moved = Path(shutil.move(sealed.data, tmp_path / "moved"))
    with pytest.raises(InputError, match="Expected the dataset of the run to pack"):
        pack_run(sealed.run.path, tmp_path / "run.tar", with_data=True)
    assert check_pack(pack_run(sealed.run.path, tmp_path / "run.tar", with_data=True, data=moved).path).unchecked == {}


# -- damaged archives -------------------------------------------------------------------------------------------


def test_a_flipped_bit_anywhere_is_found(archive: Path, tmp_path: Path) -> None:
    size = archive.stat().st_size
    places = [*range(0, 3000, 311), *range(3000, size, size // 60), size - 1, size - 600]
    for place in places:
        target = rewritten(
            archive, tmp_path / "flipped.tar", lambda content, at=place: content.__setitem__(at, content[at] ^ 4)
        )
        try:
            found = check_pack(target)
        except FormatError:
            continue
        assert len(found.differ) == 1
        assert not found.intact


def test_a_flipped_bit_in_a_file_names_the_file(archive: Path, made: SmallRun, tmp_path: Path) -> None:
    with tarfile.open(archive, "r:") as tar:
        member = next(member for member in tar if member.name.endswith("mesh.glb"))
    place = member.offset_data + member.size - 1
    target = rewritten(
        archive, tmp_path / "flipped.tar", lambda content: content.__setitem__(place, content[place] ^ 1)
    )
    assert check_pack(target).first == member.name


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_an_archive_that_is_cut_short_is_refused(share: float, archive: Path, tmp_path: Path) -> None:
    kept = min(int(archive.stat().st_size * share), archive.stat().st_size - 1)
    target = rewritten(archive, tmp_path / "short.tar", lambda content: content.__delitem__(slice(kept, None)))
    with pytest.raises(FormatError, match=r"short\.tar: .*(cut short|empty blocks)"):
        check_pack(target)


def test_what_follows_the_end_is_refused(archive: Path, tmp_path: Path) -> None:
    for more in (b"x", bytes(512), archive.read_bytes()):
        target = rewritten(archive, tmp_path / "longer.tar", lambda content, added=more: content.extend(added))
        with pytest.raises(FormatError, match="and nothing more"):
            check_pack(target)


# -- hostile archives -------------------------------------------------------------------------------------------


def with_member(archive: Path, target: Path, header: bytes, content: bytes = b"") -> Path:
    """The archive with one more file before its end."""
    body = archive.read_bytes()[:-1024] + header + content + bytes(-len(content) % 512)
    target.write_bytes(body + bytes(1024))
    return target


def tar_header(name: str, **fields: object) -> bytes:
    member = tarfile.TarInfo(name)
    for field, value in {"mode": 0o644, **fields}.items():
        setattr(member, field, value)
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "header",
    [
        tar_header("run/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        tar_header("run/link", type=tarfile.LNKTYPE, linkname="run/scores.jsonl"),
        tar_header("run/device", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        tar_header("run/pipe", type=tarfile.FIFOTYPE),
        tar_header("run/folder", type=tarfile.DIRTYPE),
        tar_header("run/sparse", type=tarfile.GNUTYPE_SPARSE),
        tar_header("run/program", mode=0o4755),
        tar_header("run/owned", uid=1000, uname="somebody"),
        tar_header("run/dated", mtime=1),
        tar_header("run/extended", pax_headers={"comment": "more"}),
        tar_header("run/" + "a" * 101, pax_headers={"SCHILY.xattr.user.a": "more"}),
        tarfile.TarInfo("run/" + "a" * 200).tobuf(tarfile.GNU_FORMAT),
    ],
    ids=lambda header: header[:20].split(b"\0")[0].decode() or "header",
)
def test_whatever_is_no_plain_file_as_pack_writes_it_is_refused(header: bytes, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"hostile\.tar: byte \d+: expected the header of a plain file"):
        check_pack(with_member(archive, tmp_path / "hostile.tar", header))


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../outside", "run/../../outside", "run//a", "run/./a", "elsewhere/a", "run", "run/"]
)
def test_names_that_leave_their_section_are_refused(name: str, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"hostile\.tar: byte \d+: expected a file below run, predictions, dataset"):
        check_pack(with_member(archive, tmp_path / "hostile.tar", header_of(name, 0)))


def test_a_second_file_of_a_name_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected every file once"):
        check_pack(with_member(archive, tmp_path / "hostile.tar", header_of("run/scores.jsonl", 1), b"x"))


def test_more_files_than_any_run_has_are_refused(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(archive, "r:") as tar:
        monkeypatch.setattr(pack, "MOST_FILES", len(tar.getnames()))
    assert check_pack(archive).intact
    with pytest.raises(FormatError, match=r"expected at most \d+ files, found one more, 'run/more'"):
        check_pack(with_member(archive, tmp_path / "more.tar", header_of("run/more", 0)))


def test_a_file_that_the_seal_does_not_know_is_found(archive: Path, tmp_path: Path) -> None:
    target = with_member(archive, tmp_path / "more.tar", header_of("run/items/a/b/mesh.glb", 1), b"x")
    report = check_pack(target)
    assert report.extra == (report.first,) == ("run/items/a/b/mesh.glb",)


def test_bytes_hidden_behind_a_file_are_found(archive: Path, tmp_path: Path) -> None:
    header = header_of("run/items/a/b/mesh.glb", 1)
    with pytest.raises(FormatError, match="expected zeros after the file"):
        check_pack(with_member(archive, tmp_path / "hostile.tar", header, b"xhidden".ljust(512, b"\0")))


def test_sizes_and_names_beyond_the_limits_are_refused_before_anything_is_read(archive: Path, tmp_path: Path) -> None:
    large = header_of("run/large", 2**33 - 1)
    with pytest.raises(FormatError, match="a file of at most 4294967296 bytes"):
        check_pack(with_member(archive, tmp_path / "hostile.tar", large))
    long_name = tar_header("run/" + "a" * 20_000)
    with pytest.raises(FormatError, match="a name of at most 16384 bytes"):
        check_pack(with_member(archive, tmp_path / "hostile.tar", long_name))


def test_a_huge_seal_is_refused_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "hostile.tar").write_bytes(header_of("run/seal.json", 2**27))
    with pytest.raises(FormatError, match=r"run/seal\.json as the first file, of at most 67108864 bytes"):
        check_pack(tmp_path / "hostile.tar")


def test_the_seal_comes_first(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "unsealed.tar").write_bytes(header_of("run/a", 0) + archive.read_bytes())
    with pytest.raises(FormatError, match="as the first file"):
        check_pack(tmp_path / "unsealed.tar")
    (tmp_path / "empty.tar").write_bytes(bytes(1024))
    with pytest.raises(FormatError, match="found no file"):
        check_pack(tmp_path / "empty.tar")


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08" + bytes(600), b"PK\x03\x04" + bytes(600), b"\xff" * 2048])
def test_other_files_are_no_archives(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.tar").write_bytes(content)
    with pytest.raises(FormatError, match=r"other\.tar: byte 0"):
        check_pack(tmp_path / "other.tar")
    with pytest.raises(InputError, match="found none"):
        check_pack(tmp_path / "nothing.tar")


# -- the command ------------------------------------------------------------------------------------------------


def test_the_verb_packs_beside_the_run_and_says_how_to_sign_and_check(
    sealed: SmallRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(sealed.run.path)
    assert execute(PackVerb, pack_verb, [run]) == 0
    target = sealed.run.path.with_name(f"{sealed.run.path.name}.tar")
    digest = sha256(target.read_bytes()).hexdigest()
    said = capsys.readouterr().out
    assert f"SHA-256 {digest}" in said
    assert "ssh-keygen -Y sign" in said
    assert "gpg --detach-sign" in said
    assert f"_scripts.verify '{target}' --integrity" in said
    assert execute(PackVerb, pack_verb, [run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == digest


def test_the_verb_packs_the_folder_one_stands_in(sealed: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sealed.run.path)
    assert execute(PackVerb, pack_verb, ["."]) == 0
    assert check_pack(sealed.run.path.with_name(f"{sealed.run.path.name}.tar")).intact


def test_the_verb_refuses_a_changed_run_with_exit_code_1(sealed: SmallRun, capsys: pytest.CaptureFixture[str]) -> None:
    sealed.run.table("csv").write_text("")
    assert execute(PackVerb, pack_verb, [str(sealed.run.path)]) == 1
    assert "run/table.csv changed" in capsys.readouterr().err
