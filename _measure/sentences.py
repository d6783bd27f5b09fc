"""Sentences that say the same wherever they were made: results repeat byte for byte, and reports travel."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

_NAME_BEGINS = r"(?<![\w./~-])"
_NAME_ENDS = r"(?!\.?[\w-])"


def without_folders(sentence: str, folders: Sequence[Path]) -> str:
    """A sentence whose paths start below these folders; a folder itself is called by its name.

    >>> without_folders("Expected the file /home/me/runs/a/run.json, found none.", [Path("/home/me/runs/a")])
    'Expected the file run.json, found none.'
    >>> without_folders("Expected items in /home/me/runs/a.", [Path("/home/me/runs/a")])
    'Expected items in a.'
    """
    for folder in folders:
        for path in dict.fromkeys((os.path.abspath(folder), str(folder))):
            start = _NAME_BEGINS + re.escape(path)
            sentence = re.sub(f"{start}/", "", sentence)
            if os.path.isabs(path) and Path(path).name:
                sentence = re.sub(start + _NAME_ENDS, Path(path).name.replace("\\", r"\\"), sentence)
    return sentence
