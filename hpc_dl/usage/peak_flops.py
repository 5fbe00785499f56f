"""Peak FLOP/s of GPUs, by the name that torch gives them: dense, as their makers publish them.

Where a data sheet tells a rate with sparsity, half of it is here. Products of bf16 and fp16 are
added up in fp32, as torch has it, which GeForce cards do at half the rate of the highest figure
that is published. Nothing is guessed of other names: cards for laptops, clouds and some countries
are slower than what they are called after, and an instance of MIG is a part of a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

TERA = 1e12


@dataclass(frozen=True)
class Peak:
    """Dense TFLOP/s by precision; None where the GPU has no such tensor cores."""

    fp32: float
    tf32: float | None
    bf16: float | None
    fp16: float


# NVIDIA V100 data sheet:
# https://images.nvidia.com/content/technologies/volta/pdf/volta-v100-datasheet-update-us-1165301-r5.pdf
_V100_SXM2 = Peak(15.7, None, None, 125)
_V100_PCIE = Peak(14, None, None, 112)
_V100S_PCIE = Peak(16.4, None, None, 130)
# NVIDIA T4 data sheet:
# https://www.nvidia.com/content/dam/en-zz/Solutions/Data-Center/tesla-t4/t4-tensor-core-datasheet-951643.pdf
_T4 = Peak(8.1, None, None, 65)
# NVIDIA A100 data sheet:
# https://www.nvidia.com/content/dam/en-zz/Solutions/Data-Center/a100/pdf/nvidia-a100-datasheet-us-nvidia-1758950-r4-web.pdf
_A100 = Peak(19.5, 156, 312, 312)
# NVIDIA A30 data sheet:
# https://www.nvidia.com/content/dam/en-zz/Solutions/data-center/products/a30-gpu/pdf/a30-datasheet.pdf
_A30 = Peak(10.3, 82, 165, 165)
# NVIDIA A40 data sheet:
# https://www.nvidia.com/content/dam/en-zz/Solutions/Data-Center/a40/proviz-print-nvidia-a40-datasheet-us-nvidia-1469711-r8-web.pdf
_A40 = Peak(37.4, 74.8, 149.7, 149.7)
# NVIDIA A10 data sheet:
# https://www.nvidia.com/content/dam/en-zz/Solutions/Data-Center/a10/pdf/a10-datasheet.pdf
_A10 = Peak(31.2, 62.5, 125, 125)
# NVIDIA L4, specifications:
# https://www.nvidia.com/en-us/data-center/l4/
_L4 = Peak(30.3, 60, 121, 121)
# NVIDIA L40 and L40S, specifications:
# https://www.nvidia.com/en-us/data-center/l40/ and l40s/
_L40 = Peak(90.5, 90.5, 181.05, 181.05)
_L40S = Peak(91.6, 183, 362.05, 362.05)
# NVIDIA H100 data sheet:
# https://resources.nvidia.com/en-us-tensor-core/nvidia-tensor-core-gpu-datasheet
_H100_SXM = Peak(67, 494.5, 989.5, 989.5)
_H100_PCIE = Peak(51, 378, 756.5, 756.5)
# NVIDIA H100 and H200, specifications:
# https://www.nvidia.com/en-us/data-center/h100/ and h200/
_H100_NVL = Peak(60, 417.5, 835.5, 835.5)
_H200_SXM, _H200_NVL = _H100_SXM, _H100_NVL
# NVIDIA HGX, specifications, an eighth of HGX B200:
# https://www.nvidia.com/en-us/data-center/hgx/
_B200 = Peak(75, 1125, 2250, 2250)
# NVIDIA Ampere GA102 GPU architecture, white paper, appendix A and table 3:
# https://www.nvidia.com/content/PDF/nvidia-ampere-ga-102-gpu-architecture-whitepaper-v2.1.pdf
_RTX_3090 = Peak(35.6, 35.6, 71, 71)
_RTX_A6000 = Peak(38.7, 77.4, 154.8, 154.8)
# NVIDIA Ada GPU architecture, white paper, appendix A:
# https://images.nvidia.com/aem-dam/Solutions/Data-Center/l4/nvidia-ada-gpu-architecture-whitepaper-v2.1.pdf
_RTX_4090 = Peak(82.6, 82.6, 165.2, 165.2)
# AMD Instinct MI250X, specifications; torch sees two halves:
# https://www.amd.com/en/products/accelerators/instinct/mi200/mi250x.html
_MI250X = Peak(47.85, None, 191.5, 191.5)
# AMD Instinct MI300X, specifications; torch takes no TF32 there:
# https://www.amd.com/en/products/accelerators/instinct/mi300/mi300x.html
_MI300X = Peak(163.4, None, 1307.4, 1307.4)

PEAKS = {
    "Tesla V100-SXM2-16GB": _V100_SXM2,
    "Tesla V100-SXM2-32GB": _V100_SXM2,
    "Tesla V100-PCIE-16GB": _V100_PCIE,
    "Tesla V100-PCIE-32GB": _V100_PCIE,
    "Tesla V100S-PCIE-32GB": _V100S_PCIE,
    "Tesla T4": _T4,
    "NVIDIA A100-SXM4-40GB": _A100,
    "NVIDIA A100-SXM4-80GB": _A100,
    "NVIDIA A100-PCIE-40GB": _A100,
    "NVIDIA A100 80GB PCIe": _A100,
    "NVIDIA A30": _A30,
    "NVIDIA A40": _A40,
    "NVIDIA A10": _A10,
    "NVIDIA L4": _L4,
    "NVIDIA L40": _L40,
    "NVIDIA L40S": _L40S,
    "NVIDIA H100 80GB HBM3": _H100_SXM,
    "NVIDIA H100 PCIe": _H100_PCIE,
    "NVIDIA H100 NVL": _H100_NVL,
    "NVIDIA H200": _H200_SXM,
    "NVIDIA H200 NVL": _H200_NVL,
    "NVIDIA B200": _B200,
    "NVIDIA RTX A6000": _RTX_A6000,
    "NVIDIA GeForce RTX 3090": _RTX_3090,
    "NVIDIA GeForce RTX 4090": _RTX_4090,
    "AMD Instinct MI250X": _MI250X,
    "AMD Instinct MI300X": _MI300X,
}


def find(gpu: str, precision: str) -> float | None:
    """Return the most FLOP/s of a GPU in `fp32`, `tf32`, `bf16` or `fp16`; None where that is not
    known. What has no TF32 computes in fp32."""
    peak = PEAKS.get(gpu)
    if peak is None:
        return None
    teraflops = getattr(peak, precision) or (peak.fp32 if precision == "tf32" else None)
    return None if teraflops is None else teraflops * TERA
