"""One measured value beside the value it should have, and what follows from both. No value is hidden by its state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

State = Literal["reproduced", "off", "not run", "not comparable", "human study", "re-report"]


@dataclass(frozen=True)
class Verdict:
    """One row of a verification.

    Attributes:
        reference: what it is held against: the id of a published record, or the name of a baseline and its row.
        protocol: ``paper`` or ``corrected``, as our scores were made; empty where there are none.
        subset, metric: as in the table.
        expected: published or stored value, in the table's scale.
        ours: our value in the same scale; NaN where there is none.
        tolerance: largest difference that counts as reproduced; NaN where nothing is compared.
        state: see `State`; ``off`` alone makes a verification fail.
        reason: why it cannot be compared or was not run, or what else a reader must know; may be empty.
    """

    reference: str
    protocol: str
    subset: str
    metric: str
    expected: float
    ours: float
    tolerance: float
    state: State
    reason: str = ""

    @property
    def difference(self) -> float:
        """Ours minus expected; NaN where there is no value of ours."""
        return self.ours - self.expected

    @property
    def shown_state(self) -> str:
        """The state in words, ``off by +0.200`` with its difference."""
        return f"off by {self.difference:+.3f}" if self.state == "off" else self.state


def judge(ours: float, expected: float, tolerance: float) -> Literal["reproduced", "off"]:
    """Whether two values agree; a value that is no number never does. The limit itself still agrees.

    >>> judge(19.47, 19.37, 0.1), judge(19.48, 19.37, 0.1), judge(math.nan, 19.37, 0.1)
    ('reproduced', 'off', 'off')
    """
    close = abs(ours - expected) <= tolerance or math.isclose(abs(ours - expected), tolerance, rel_tol=1e-9)
    return "reproduced" if close else "off"
