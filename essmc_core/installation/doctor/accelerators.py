"""Whether torch works, and which accelerators it can use: asked in a separate process, which may crash or hang."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from essmc_core.foundation.error_text import brief, shortened
from essmc_core.installation.doctor.section import Section

_CODE = "from essmc_core.installation.doctor.accelerators import child; child()"
_SECONDS = 300.0
_MARK = "essmc-doctor:"
_REINSTALL = (
    "install torch anew: pip install --force-reinstall torch (its page `Get started` gives the line for a platform)"
)


def torch_section() -> Section:
    """Returns torch's version, what it can compute on, and why it cannot be used."""
    section = Section("torch and accelerators")
    if not _is_there():
        section.facts["torch"] = "not installed"
        section.problem("torch is not installed; nothing can be built", "pip install torch")
        return section
    found = _ask()
    if "error" in found:
        section.facts["torch"] = "broken"
        section.problem(f"torch cannot be used: {found['error']}", _REINSTALL)
        return section
    section.facts["torch"] = f"{found['version']}, imported in {found['seconds']:.1f} s"
    section.facts["built for"] = str(found["built_for"])
    section.facts["cpu"] = str(found["cpu"])
    devices: Mapping[str, Mapping[str, str]] = found["devices"]
    for name, device in devices.items():
        section.facts[name] = f"{device['about']}: {'usable' if not device['error'] else 'not usable'}"
        if device["error"]:
            section.problem(f"{name} cannot compute: {device['error']}", "update the driver, or install torch for it")
    if not devices:
        section.facts["accelerators"] = "none"
        if found["built_for"] == "cpu" and _has_nvidia_driver():
            fix = "install a build of torch with CUDA (its page `Get started` gives the line)"
            section.note("there is an NVIDIA driver, and torch is built for CPUs alone", fix)
        elif str(found["built_for"]).startswith("CUDA") and _has_nvidia_driver():
            fix = "compare nvidia-smi's CUDA version with that of torch, and update the driver"
            section.problem(f"there is an NVIDIA driver that torch cannot use {found['why_not']}".strip(), fix)
    return section


def _is_there() -> bool:
    try:
        return find_spec("torch") is not None
    except (ImportError, ValueError):
        return True


def _has_nvidia_driver() -> bool:
    return os.path.exists("/proc/driver/nvidia/version") or shutil.which("nvidia-smi") is not None


def _ask() -> dict[str, Any]:
    environment = {
        **os.environ,
        "ESSMC_PACKS": "",
        "ESSMC_STRICT": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CODE],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"its import, or a first computation, took more than {_SECONDS:g} s"}
    except OSError as error:
        return {"error": f"no process could be started: {error}"}
    printed = done.stdout.decode("utf-8", errors="replace").splitlines()
    answers = [line.removeprefix(_MARK) for line in printed if line.startswith(_MARK)]
    if not answers:
        last = done.stderr.decode("utf-8", errors="replace").strip().splitlines()[-1:]
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        return {"error": f"it ended the process ({how}){': ' + shortened(last[0], 300) if last else ''}"}
    answer: dict[str, Any] = json.loads(answers[-1])
    return answer


def child() -> None:
    """Prints what torch can do as one line of JSON."""
    # Whatever goes wrong is the answer.
    try:
        answer = _looked()
    except BaseException as error:
        answer = {"error": brief(error)}
    print(f"\n{_MARK}{json.dumps(answer)}", flush=True)


def _looked() -> dict[str, Any]:
    import time

    start = time.perf_counter()
    import torch

    seconds = time.perf_counter() - start
    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "cpu"
    if getattr(torch.version, "hip", None):
        built_for = f"ROCm {torch.version.hip}"
    torch.ones(2, 2) @ torch.ones(2, 2)
    devices, why_not = _devices(torch)
    return {
        "version": torch.__version__,
        "seconds": seconds,
        "built_for": built_for,
        "cpu": f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}",
        "devices": devices,
        "why_not": why_not,
    }


def _devices(torch: Any) -> tuple[dict[str, dict[str, str]], str]:
    found: dict[str, dict[str, str]] = {}
    why_not = ""
    try:
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            text = f"{about.name}, {about.total_memory / 2**30:.0f} GiB, compute capability {about.major}.{about.minor}"
            found[f"cuda:{number}"] = {"about": text, "error": _trial(torch, f"cuda:{number}")}
        if torch.version.cuda and not found:
            torch.cuda.init()
    # A driver that does not fit raises various exceptions.
    except Exception as error:
        why_not = f"({brief(error)})"
    if torch.backends.mps.is_built() and torch.backends.mps.is_available():
        found["mps"] = {"about": "Apple GPU", "error": _trial(torch, "mps")}
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        for number in range(torch.xpu.device_count()):
            name = torch.xpu.get_device_name(number)
            found[f"xpu:{number}"] = {"about": name, "error": _trial(torch, f"xpu:{number}")}
    return found, why_not


def _trial(torch: Any, device: str) -> str:
    """Returns why a small product cannot be computed on a device, empty if it can."""
    try:
        value = (torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)).sum().item()
    except Exception as error:
        return brief(error)
    return "" if value == 512 else f"a product of ones is {value}, not 512"
