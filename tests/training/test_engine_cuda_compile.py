"""The kernels compile for a Hopper GPU; that needs no GPU, and sees what the interpreter forgives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton", reason="Triton is not installed")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("TRITON_INTERPRET=1: there are no kernels to compile", allow_module_level=True)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from training.engine import cuda_field, cuda_rays

HOPPER = GPUTarget("cuda", 90, 32)
WHOLE = {"count", "width", "resolution", "per_ray", "rays", "coarse_count", "fine_count"}
REAL = {"scale", "reach", "thin", "negligible"}
"""Arguments that are int32 and float32; the others are addresses of float32."""
PUBLISHED = {"D": 3, "C": 16, "H": 64, "F": 32, "USE_TRIPLANE": True, "PLAIN": True}
OTHER = {"D": 1, "C": 32, "H": 32, "F": 16, "USE_TRIPLANE": False, "PLAIN": False}
KERNELS = {
    "points with features": (cuda_field.points_kernel, {**PUBLISHED, "WITH_FEATURES": True}),
    "points, one slice": (cuda_field.points_kernel, {**OTHER, "WITH_FEATURES": False}),
    "densities of rays": (
        cuda_field.ray_sigma_kernel,
        {**PUBLISHED, "NOISY": False, "CROPS": True, "CLEARS": "cull"},
    ),
    "densities with noise": (
        cuda_field.ray_sigma_kernel,
        {**OTHER, "NOISY": True, "CROPS": False, "CLEARS": "binarize"},
    ),
    "composite": (cuda_field.composite_kernel, PUBLISHED),
    "march": (cuda_rays.march_kernel, {}),
    "fine depths": (cuda_rays.fine_depths_kernel, {"S": 128}),
    "merge": (cuda_rays.merge_kernel, {"N": 256}),
}


def assembly(kernel: Any, constants: dict[str, Any]) -> str:
    """PTX of a kernel."""
    signature, values = {}, {}
    for parameter in kernel.params:
        if parameter.is_constexpr:
            signature[parameter.name] = "constexpr"
            values[(parameter.num,)] = constants[parameter.name]
        else:
            known = "i32" if parameter.name in WHOLE else "fp32" if parameter.name in REAL else "*fp32"
            signature[parameter.name] = known
    source = ASTSource(kernel, signature, values)
    options = {"num_warps": 8, "enable_fp_fusion": False}
    return triton.compile(source, target=HOPPER, options=options).asm["ptx"]


@pytest.mark.parametrize(("kernel", "constants"), KERNELS.values(), ids=KERNELS)
def test_it_compiles_to_float32_arithmetic(
    kernel: Any, constants: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    text = assembly(kernel, constants)
    assert ".target sm_90" in text
    assert f".entry {kernel.__name__}" in text
    assert "tf32" not in text
    assert "mma" not in text
