"""What a written page contains, read by the standard library's parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

LINKING = {"a": "href", "link": "href", "img": "src", "script": "src"}


@dataclass
class Markup(HTMLParser):
    """Tags with their attributes in order, and all text outside tags."""

    path: Path
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def __hash__(self) -> int:
        return id(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All text, runs of white space as one space."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def addresses(self) -> list[tuple[str, str]]:
        """Tag and address of everything the page links to or loads."""
        return [(tag, at[LINKING[tag]]) for tag, at in self.tags if LINKING.get(tag, "-") in at]

    def local_files(self) -> list[Path]:
        """Files that the page links to or loads, as paths on this machine."""
        relative = [address for _, address in self.addresses() if ":" not in address and not address.startswith("#")]
        return [(self.path.parent / unquote(address)).resolve() for address in relative]
