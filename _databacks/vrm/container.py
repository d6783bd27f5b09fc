"""Bytes → JSON and buffers: the GLB container, plain .gltf text, data URIs and files beside the file.

Nothing is fetched: a URI is a data URI, or names a file inside the folder that holds the glTF file.
Source: glTF 2.0 specification, sections 2.8 (URIs), 4.4 (GLB).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, unquote_to_bytes

from _databacks.vrm.json_path import JsonValue
from _databacks.vrm.limits import MAX_FILE_BYTES, MAX_JSON_BYTES, MAX_NOTES
from _exchange.errors import FormatError, InputError

_MAGIC = b"glTF"
_JSON_CHUNK, _BIN_CHUNK = 0x4E4F534A, 0x004E4942
_HEADER, _CHUNK_HEADER = struct.Struct("<4sII"), struct.Struct("<II")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, eq=False)
class Container:
    """A glTF file taken apart.

    Attributes:
        root: the JSON document.
        binary: the BIN chunk, or None where the file has none.
        folder: where the URIs of external files start.
        notes: oddities that were passed over, one sentence each.
    """

    root: JsonValue
    binary: memoryview | None
    folder: Path
    notes: tuple[str, ...] = ()

    def resource(self, uri: JsonValue) -> bytes:
        """The bytes that a `uri` member stands for.

        Raises:
            FormatError: the data URI is damaged, or the file is absent, too large or outside the folder.
        """
        text = uri.value if isinstance(uri.value, str) else uri.text()
        if text[:5].lower() == "data:":
            return _data_uri_bytes(uri, text)
        return read_bytes(self._external(uri, text), uri)

    def _external(self, uri: JsonValue, text: str) -> Path:
        expected = "the name of a file in the folder of the glTF file"
        name = unquote(text)
        outside = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name) or "\\" in name or "\0" in name or not name
        if outside or Path(name).is_absolute() or ".." in Path(name).parts:
            raise uri.error(expected, f"the address {text[:80]!r}")
        folder = self.folder.resolve()
        try:
            path = (folder / name).resolve()
        except (OSError, ValueError, RuntimeError) as problem:
            raise uri.error(expected, f"{text[:80]!r}, which cannot be resolved") from problem
        if not path.is_relative_to(folder):
            raise uri.error(expected, f"{text[:80]!r}, which leads out of it")
        return path


def _data_uri_bytes(uri: JsonValue, text: str) -> bytes:
    head, comma, payload = text.partition(",")
    if not comma:
        raise uri.error("a data URI with a comma before its content", f"{head[:40]!r}")
    octets = unquote_to_bytes(payload)  # base64 text, too, may be percent-coded
    if not head.lower().endswith(";base64"):
        return octets
    try:
        return base64.b64decode(octets, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise uri.error("base64 text", f"damaged base64 text ({problem})".lower()) from problem


def read_bytes(path: Path, named_by: JsonValue | None = None) -> bytes:
    """A regular file of bounded size; `named_by` is the JSON value that asked for it, for the error.

    Raises:
        InputError: the file is absent, no regular file, too large or unreadable (`FormatError` with `named_by`).
    """

    def refuse(expected: str, found: str) -> NoReturn:
        if named_by is None:
            raise InputError(f"{path.name}: expected {expected}, found {found}.")
        raise named_by.error(expected, found)

    try:
        if not path.is_file():
            refuse(f"the file {path.name!r}", "something that is no file" if path.exists() else "none of that name")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            refuse(f"a file of at most {MAX_FILE_BYTES} bytes", f"{size} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        refuse(f"the readable file {path.name!r}", f"the answer of the system: {reason}")


def read_container(path: Path) -> Container:
    """Take a .vrm, .glb or .gltf file apart.

    Raises:
        FormatError: the container or its JSON is damaged; InputError: the file cannot be read.
    """
    octets = read_bytes(path)
    notes: list[str] = []
    if path.suffix.lower() == ".gltf" and octets[:4] != _MAGIC:
        text, binary = octets, None
    else:
        text, binary = _glb_chunks(memoryview(octets), notes)
    return Container(parse_json(text, notes), binary, path.parent, tuple(notes))


def _glb_chunks(octets: memoryview, notes: list[str]) -> tuple[bytes, memoryview | None]:
    """JSON text and BIN chunk of a GLB file."""
    length = _declared_length(octets)
    if length < len(octets):
        notes.append(f"header.length: {len(octets) - length} bytes after the declared end were ignored.")
    chunks: dict[int, memoryview] = {}
    for place, kind, data in _each_chunk(octets[:length]):
        if not chunks and kind != _JSON_CHUNK:
            raise FormatError(f"{place}.type", "JSON", repr(kind.to_bytes(4, "little")))
        if kind in chunks and kind in (_JSON_CHUNK, _BIN_CHUNK):
            raise FormatError(f"{place}.type", "one JSON and one BIN chunk", "a second one of a kind")
        if len(data) % 4:
            notes.append(f"{place}.length: {len(data)} is not a multiple of 4.")
        if kind not in (_JSON_CHUNK, _BIN_CHUNK) and len(notes) < MAX_NOTES:
            notes.append(f"{place}.type: the unknown chunk {kind.to_bytes(4, 'little')!r} was ignored.")
        chunks[kind] = data
    if _JSON_CHUNK not in chunks:
        raise FormatError("chunks[0]", "a JSON chunk", "the end of the file")
    if len(chunks[_JSON_CHUNK]) > MAX_JSON_BYTES:
        raise FormatError("chunks[0].length", f"at most {MAX_JSON_BYTES} bytes", str(len(chunks[_JSON_CHUNK])))
    return bytes(chunks[_JSON_CHUNK]), chunks.get(_BIN_CHUNK)


def _declared_length(octets: memoryview) -> int:
    """The length that a sound GLB header states."""
    if len(octets) < _HEADER.size:
        raise FormatError("header", f"at least the {_HEADER.size} bytes of a GLB header", f"{len(octets)} bytes")
    magic, version, length = _HEADER.unpack_from(octets)
    if magic != _MAGIC:
        raise FormatError("header.magic", repr(_MAGIC), repr(magic))
    if version != 2:
        raise FormatError("header.version", "2", str(version))
    if length > len(octets):
        raise FormatError("header.length", f"at most the {len(octets)} bytes of the file", str(length))
    return int(length)


def _each_chunk(octets: memoryview) -> Iterator[tuple[str, int, memoryview]]:
    """Place, type and content of every chunk after the header."""
    start, number = _HEADER.size, 0
    while start < len(octets):
        place = f"chunks[{number}]"
        if start + _CHUNK_HEADER.size > len(octets):
            raise FormatError(place, f"{_CHUNK_HEADER.size} bytes of chunk header", f"{len(octets) - start} bytes")
        size, kind = _CHUNK_HEADER.unpack_from(octets, start)
        start += _CHUNK_HEADER.size
        if start + size > len(octets):
            raise FormatError(f"{place}.length", f"at most the {len(octets) - start} bytes left", str(size))
        yield place, kind, octets[start : start + size]
        start, number = start + size, number + 1


def parse_json(text: bytes, notes: list[str]) -> JsonValue:
    """The root of a JSON document, an object.

    Raises:
        FormatError: the text is too long, no UTF-8, no JSON (NaN and Infinity are none), or nested too deeply.
    """
    if len(text) > MAX_JSON_BYTES:
        raise FormatError("JSON", f"at most {MAX_JSON_BYTES} bytes", str(len(text)))
    if text.startswith(_BYTE_ORDER_MARK):
        notes.append("JSON: a byte order mark was skipped.")
        text = text[len(_BYTE_ORDER_MARK) :]
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as problem:
        raise FormatError("JSON", "UTF-8 text", f"the byte 0x{text[problem.start]:02x} at {problem.start}") from None
    except json.JSONDecodeError as problem:
        raise FormatError("JSON", "valid JSON", f"{problem.msg!r} at character {problem.pos}") from None
    except RecursionError:
        raise FormatError("JSON", "a document of moderate depth", "nesting beyond any glTF file") from None
    except ValueError:
        raise FormatError("JSON", "numbers of moderate length", "an integer of thousands of digits") from None
    root = JsonValue(value)
    if not isinstance(value, dict):
        raise FormatError("JSON", "an object", f"{type(value).__name__}")
    return root


def _refuse_constant(token: str) -> Any:
    raise FormatError("JSON", "finite numbers", f"the token {token}")
