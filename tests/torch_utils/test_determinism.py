"""One thread inside the block, the old number afterwards, also after an error."""

from __future__ import annotations

import pytest
import torch

from torch_utils.determinism import single_threaded


def test_threads_inside_and_after() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with single_threaded():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), single_threaded():
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
