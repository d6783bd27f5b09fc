"""What `prepare` knows about each character: one JSON file per character, from which the tables are rebuilt.

Records are written last, after all pictures of a character, and hold nothing that changes from run to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _databacks.layout import SetFolder
from _databacks.names import PictureName
from _databacks.views import derived_camera
from _exchange import atomic
from _exchange.errors import FormatError, SuiteError
from _exchange.items import ItemId, Region
from _exchange.protocol import Way, protocol_named
from _exchange.run_record import read_json_object

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class CharacterRecord:
    """One prepared character.

    Attributes:
        franch: group.
        idx: id within the group.
        file: the source, relative to the folder it was found in.
        sha256: of the source.
        character: the copy in the dataset, relative to its root.
        shading: ``paper`` or ``corrected``: how it was read, posed and drawn.
        paper_arm_degrees: rotation of the upper arms in `paper`.
        fit: whether it was scaled into the box.
        scale: the factor (1 when not).
        head_position: (3,) `model` metres, given by the user for characters without a head bone; else empty.
        neck_height: y of the neck in `head_model`, metres.
        region: what the evaluation looks at, ``[[row, col], [height, width]]``; empty for sets with their own.
        views: names of the views by kind of picture.
        arms: rest angle and applied rotation per side, degrees.
        vrm_version: ``0.x``, ``1.0`` or empty.
        triangles: how many were drawn.
        attribution: author, title and licence fields of the file.
        notes: what the reader skipped or mended.
        schema: version of this format.
    """

    franch: str
    idx: str
    file: str
    sha256: str
    character: str
    shading: Way
    paper_arm_degrees: float
    fit: bool = False
    scale: float = 1.0
    head_position: tuple[float, ...] = ()
    neck_height: float = -0.2
    region: list[list[float]] = field(default_factory=list)
    views: Mapping[str, list[str]] = field(default_factory=dict)
    arms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    vrm_version: str = ""
    triangles: int = 0
    attribution: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA_VERSION

    @property
    def item(self) -> ItemId:
        """``franch/idx``."""
        return ItemId(self.franch, self.idx)

    @property
    def area(self) -> Region:
        """The region as a value."""
        return Region.from_corners(self.region)

    def view_metadata(self, renderset: str) -> dict[str, Any]:
        """The entries of this character in the set's metadata file (spec/data.md §2.1).

        Angle and turn of the arms stand beside `render_params`, and `scale` among them where the character was fitted.
        """
        entries = {}
        for kind, views in sorted(self.views.items()):
            for view in views:
                name = PictureName(renderset, kind, self.franch, self.idx, view)
                camera = derived_camera(name)
                if camera is None:
                    raise FormatError(f"views.{kind}", "views with a known camera", view, file=f"{self.item}.json")
                params = camera.render_params | ({"scale": self.scale} if self.fit else {})
                entries[str(name)] = {"render_params": params, "arm_angles_deg": self.arms}
        return entries

    def write(self, folder: SetFolder) -> Path:
        """Write atomically; the path of the record."""
        path = folder.record(self.item)
        atomic.write_json(path, asdict(self))
        return path

    @classmethod
    def read(cls, path: Path) -> CharacterRecord:
        """Read and check.

        Raises:
            InputError: there is no such file.
            FormatError: it is no record of this version.
        """
        value = read_json_object(path)
        if value.get("schema") != SCHEMA_VERSION:
            raise FormatError("schema", str(SCHEMA_VERSION), repr(value.get("schema")), file=path)
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        try:
            for name in ("head_position", "notes"):
                known[name] = tuple(known[name])
            record = cls(**known)
            _check(record)
        except (KeyError, TypeError, ValueError, SuiteError) as error:
            raise FormatError("", "a record of a prepared character", str(error).rstrip("."), file=path) from error
        return record


def _check(record: CharacterRecord) -> None:
    """Raise `TypeError`, `ValueError` or `SuiteError` unless the values are what readers rely on."""
    texts = (record.franch, record.idx, record.character, record.shading)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"texts were expected among {texts}")
    protocol_named(record.shading)
    if record.character.startswith("/") or ".." in record.character.split("/"):
        raise ValueError(f"the character {record.character!r} is outside the dataset")
    if record.region:
        record.area  # noqa: B018 - a region that is none says so
    if not all(isinstance(views, list) for views in dict(record.views).values()):
        raise TypeError("lists of views were expected")
    record.item  # noqa: B018 - a name that is none says so


def read_records(folder: SetFolder) -> list[CharacterRecord]:
    """All records of a set, sorted by item."""
    paths = [path for path in folder.records.rglob("*.json") if not path.name.startswith(atomic.TEMPORARY_PREFIX)]
    return sorted((CharacterRecord.read(path) for path in paths), key=lambda record: record.item)
