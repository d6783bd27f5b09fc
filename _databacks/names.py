"""Names of pictures: five parts ``renderset/dtype/franch/idx/view``, as lists, metadata and seeds spell them.

Source: spec/data.md §1, §8.1.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from _exchange.errors import InputError
from _exchange.items import ItemId

VROID = "rutileE"
VTUBER = "virtualyoutuberE"
ANIMERECON = "daredemoE"
OWN = "own"
PUBLISHED_SETS = (VROID, ANIMERECON, VTUBER)


class BadName(InputError, ValueError):
    """A text that is no five-part name."""


class UnknownItem(InputError, KeyError):
    """A name without metadata, or an item that is not in a list."""


class MissingPicture(InputError, FileNotFoundError):
    """A name whose picture does not exist."""


class BadPosition(InputError, IndexError):
    """A position outside the list."""


@dataclass(frozen=True, order=True)
class PictureName:
    """The parts of one name.

    Raises:
        BadName: a part is empty, hidden in its folder, or would leave it.
    """

    renderset: str
    dtype: str
    franch: str
    idx: str
    view: str

    def __post_init__(self) -> None:
        for part in asdict(self).values():
            if not part or part in (".", "..") or any(sign in part for sign in "/\\\0\n\r"):
                raise BadName(f"Expected five plain parts renderset/dtype/franch/idx/view, found {str(self)!r}.")

    def __str__(self) -> str:
        return "/".join((self.renderset, self.dtype, self.franch, self.idx, self.view))

    @classmethod
    def parse(cls, text: str) -> PictureName:
        """The name spelled ``renderset/dtype/franch/idx/view``."""
        parts = text.split("/")
        if len(parts) != 5:
            raise BadName(f"Expected five parts renderset/dtype/franch/idx/view, found {text!r}.")
        return cls(*parts)

    @property
    def item(self) -> ItemId:
        """The character, ``franch/idx``."""
        return ItemId(self.franch, self.idx)

    @property
    def info(self) -> dict[str, str]:
        """The parts by their names, as items carry them."""
        return asdict(self)
