"""Checkpoints as data: tensors, numbers and text out of files that could run code if they were unpickled.

`read_checkpoint` takes the published snapshot pickle, PyTorch archives and streams (Lightning's ``.ckpt`` among them),
TorchScript archives, pickles of scikit-learn's PCA, and safetensors. `write_safetensors` writes what was read in the
last form.
"""

from torch_utils.checkpoint.errors import CheckpointError
from torch_utils.checkpoint.read import read_checkpoint
from torch_utils.checkpoint.record import Checkpoint, GeneratorWeights, ModuleRecord
from torch_utils.checkpoint.safetensors_file import write_safetensors
from torch_utils.checkpoint.summary import summary, summary_text

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "GeneratorWeights",
    "ModuleRecord",
    "read_checkpoint",
    "summary",
    "summary_text",
    "write_safetensors",
]
