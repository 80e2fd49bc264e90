"""Which device computes, in which precision, and what it is called."""

import torch

from utils import settings

_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # processors' names for bfloat16 instructions: x86, x86, Arm


def choose_device(name: str | torch.device | None) -> torch.device:
    """Return a device by name, or the accelerator where there is one; raises ValueError."""
    if not name:
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for CUDA
        raise ValueError(
            f"device {str(name)!r} cannot be used: {error}; leave it out to take the best there is"
        ) from None


def choose_dtype(name: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """Return one of settings.DTYPES, or the fastest that the device has instructions for; raises ValueError."""
    if not name:
        return _fastest(device)
    found = str(name).removeprefix("torch.")
    if found not in settings.DTYPES:
        raise ValueError(f"dtype is {found!r}; allowed are {', '.join(settings.DTYPES)}")
    return getattr(torch, found)


def device_name(device: torch.device) -> str:
    """Return what a device is called, with a hint where a GPU would be faster."""
    if device.type == "cuda":
        return f"the GPU {torch.cuda.get_device_name(device)}"
    if device.type != "cpu":
        return f"the GPU ({device.type})"
    return "the CPU (on Colab, Runtime > Change runtime type > T4 GPU is much faster)"


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":  # a T4 only emulates bfloat16
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    abilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return torch.bfloat16 if any(abilities.get(name) for name in _BFLOAT16) else torch.float32
