"""Pickles of scikit-learn's PCA, read without scikit-learn. Source: spec/features.md §2."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from _exchange.pickle_machine import MAX_GROWTH, SMALL_CHANGE, Allowances, Builder, Record, builder_of, load_next
from _exchange.restricted_pickle import NUMPY_ENTRIES
from torch_utils.checkpoint.inert import MAX_OPERATIONS, InertModule, numeric_dtype
from torch_utils.checkpoint.plain import Budget, plain_entries
from torch_utils.checkpoint.record import Checkpoint, ModuleRecord
from torch_utils.checkpoint.stream import Cursor
from torch_utils.checkpoint.tensors import TensorSource

PCA_CLASS = "sklearn.decomposition._pca.PCA"
NEEDED = ("components_", "mean_")
_PROBED_BYTES = 256


def _plain_class(*_arguments: Any) -> Any:
    raise ValueError("object called directly")


_new_pca = partial(InertModule, PCA_CLASS)


def _reconstructed(*arguments: Any) -> InertModule:
    """`copyreg._reconstructor(PCA, object, None)` of protocols 0 and 1."""
    kind, base, state = arguments
    if builder_of(kind) is not _new_pca or builder_of(base) is not _plain_class or state is not None:
        raise ValueError("the reconstruction of something else than a PCA")
    return _new_pca()


PCA_ENTRIES: Mapping[str, Builder] = {
    **{name: builder for name, builder in NUMPY_ENTRIES.items() if not name.startswith("addict.")},
    "numpy.dtype": numeric_dtype,
    PCA_CLASS: _new_pca,
    "copy_reg._reconstructor": _reconstructed,
    "copyreg._reconstructor": _reconstructed,
    "__builtin__.object": _plain_class,
    "builtins.object": _plain_class,
}


def is_pca(head: bytes) -> bool:
    """Whether a pickle's first global is the PCA class."""
    module, _, _ = PCA_CLASS.rpartition(".")
    return module.encode() in head[:_PROBED_BYTES]


def read_pca(data: memoryview) -> Checkpoint:
    """The arrays and settings of a PCA: `components_` (components, features), `mean_` (features) and the others.

    Raises:
        FormatError: the pickle is damaged or names a global that is not on the list.
        ValueError: it is no fitted PCA.
    """
    value = load_next(
        Cursor(data),
        PCA_ENTRIES,
        room=MAX_GROWTH * len(data) + SMALL_CHANGE,
        allowances=Allowances(max_operations=MAX_OPERATIONS),
    )
    if not isinstance(value, InertModule):
        raise ValueError(f"a {type(value).__name__} and no PCA")
    finished = {name: entry.result() if isinstance(entry, Record) else entry for name, entry in value.state.items()}
    arrays = {name: entry for name, entry in finished.items() if isinstance(entry, np.ndarray)}
    if not all(name in arrays for name in NEEDED):
        raise ValueError("a PCA that was not fitted: components_ and mean_ are missing")
    components, mean = arrays["components_"], arrays["mean_"]
    if components.ndim != 2 or mean.shape != components.shape[1:] or components.dtype.kind != "f":
        raise ValueError(f"components_ of shape {components.shape} with mean_ of shape {mean.shape}")
    budget = Budget(len(data))
    sources = {name: _source(array, budget) for name, array in arrays.items()}
    return Checkpoint(
        "pca", {"pca": ModuleRecord("pca", sources, PCA_CLASS, attributes=plain_entries(finished, budget))}
    )


def _source(array: NDArray, budget: Budget) -> TensorSource:
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    tensor = torch.from_numpy(native)
    budget.take_bytes(native.nbytes)

    def load() -> Tensor:
        return tensor.clone()

    return TensorSource(tensor.dtype, tuple(tensor.shape), load)
