"""The methods that exist, as frozen entries; a method's module is imported when it is loaded, not before.

Other distributions add methods through the entry point group `anime3d.methods`, each naming a `MethodEntry`:

    [project.entry-points."anime3d.methods"]
    mine = "my_package.entry:ENTRY"
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from _exchange.errors import InputError, MissingComponent
from _methods.interface import Method, MethodSettings

GROUP = "anime3d.methods"


@dataclass(frozen=True)
class MethodEntry:
    """One method.

    Attributes:
        name: what a person types.
        task: what it makes out of what, a few words.
        licence: SPDX identifier of the code.
        paper: citation or address; empty for a baseline without one.
        published: ids of rows of the published numbers that this method should reproduce.
        loader: ``module:object``; the object is called with `MethodSettings` and returns a `Method`.
    """

    name: str
    task: str
    licence: str
    paper: str
    published: tuple[str, ...]
    loader: str

    def load(self, settings: MethodSettings) -> Method:
        """Import the method and make one.

        Raises:
            InputError: `loader` is not ``module:object``, names no object of the module, or makes no `Method`.
            MissingComponent: its module, or one that it needs, is not installed.
        """
        module_name, separator, object_name = self.loader.partition(":")
        if not separator:
            raise InputError(f"Expected module:object as loader of {self.name}, found {self.loader!r}.")
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise MissingComponent(
                f"The method {self.name} needs a module that is not installed ({error}).",
                next_step="Install it into this environment, or choose another method.",
            ) from error
        if not hasattr(module, object_name):
            raise InputError(f"Expected {object_name!r} in {module_name} as loader of {self.name}, found none.")
        method = getattr(module, object_name)(settings)
        if not isinstance(method, Method):
            raise InputError(f"Expected a Method from {self.loader} for {self.name}, found {type(method).__name__}.")
        return method


_LICENCE = "Apache-2.0"
_ROWS_OF_TABLE = (
    *(f"{subset}/{metric}" for subset in ("front", "back", "360") for metric in ("clip", "lpips", "psnr")),
    *(f"geom/{metric}" for metric in ("cd", "f1@5", "f1@10")),
)
_PANIC3D_ROWS = tuple(
    f"panic-3d/animerecon/{row}/{card}" for row in _ROWS_OF_TABLE for card in ("rtx-3080-ti", "gtx-1080-ti")
)
"""Its printed table: twelve rows, measured on two cards."""
_OWN = (
    MethodEntry(
        name="inflate",
        task="portrait → surface: the silhouette inflated to a head's proportions, mirrored colours behind",
        licence=_LICENCE,
        paper="",
        published=(),
        loader="_methods.inflate:Inflate",
    ),
    MethodEntry(
        name="billboard",
        task="portrait → surface: the portrait on an upright plane, mirrored behind",
        licence=_LICENCE,
        paper="",
        published=(),
        loader="_methods.billboard:Billboard",
    ),
    MethodEntry(
        name="mean_head",
        task="portrait → surface: the same average of procedural heads whatever the portrait shows",
        licence=_LICENCE,
        paper="",
        published=(),
        loader="_methods.mean_head:MeanHead",
    ),
    MethodEntry(
        name="panic3d",
        task="portrait → radiance field: a generator conditioned on the line-filled portrait and its features",
        licence=_LICENCE,
        paper="PAniC-3D: Stylized Single-view 3D Reconstruction from Portraits of Anime Characters, CVPR 2023",
        published=_PANIC3D_ROWS,
        loader="_methods.panic3d:Panic3d",
    ),
)


def entries() -> tuple[MethodEntry, ...]:
    """All methods: our own in their order, then those of installed distributions by name. Own names win."""
    own_names = {entry.name for entry in _OWN}
    others = {point.name: point for point in entry_points(group=GROUP) if point.name not in own_names}
    return (*_OWN, *(_entry_of(others[name]) for name in sorted(others)))


def find(name: str) -> MethodEntry:
    """The method called `name`; only a method of that name is looked at, others may be broken.

    Raises:
        InputError: there is none; the message lists the known names.
    """
    for entry in _OWN:
        if entry.name == name:
            return entry
    installed = entry_points(group=GROUP)
    for point in installed:
        if point.name == name:
            return _entry_of(point)
    known = [entry.name for entry in _OWN] + sorted({point.name for point in installed})
    raise InputError(f"Expected a method out of {', '.join(known)}, found {name!r}.")


def _entry_of(point: EntryPoint) -> MethodEntry:
    """The entry that an installed distribution offers."""
    try:
        entry = point.load()
    except (ImportError, AttributeError) as error:
        raise MissingComponent(
            f"The installed method {point.name} ({point.value}) cannot be imported ({error}).",
            next_step="Repair or uninstall its distribution.",
        ) from error
    if not isinstance(entry, MethodEntry):
        raise InputError(
            f"Expected a MethodEntry behind the entry point {point.name} ({point.value}), found {type(entry).__name__}."
        )
    if entry.name != point.name:
        raise InputError(
            f"Expected an entry called {point.name!r} behind the entry point of that name ({point.value}), "
            f"found {entry.name!r}.",
            next_step="Give both the same name in its distribution.",
        )
    return entry
