"""How long discovery and the listings take, beside importing timm, and how they grow with the packs installed.

Whole processes, interleaved, medians. Run: ``python benchmarks/discovery.py [-n RUNS] [--packs 0 250 500 1000]``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HEAVY = ("torch", "timm", "torchvision", "torchmetrics")
COMPONENTS_PER_PACK = 20
ESSMC = ("-m", "essmc_core")
COMMANDS: Mapping[str, Sequence[str]] = {
    "python -c pass": ("-c", "pass"),
    "import essmc_core": ("-c", "import essmc_core"),
    "essmc --help": (*ESSMC, "--help"),
    "essmc packs": (*ESSMC, "packs"),
    "essmc list backbones": (*ESSMC, "list", "backbones"),
    "essmc models": (*ESSMC, "models"),
    "timm.list_models()": ("-c", "import timm; timm.list_models()"),
}
START = "python -c pass"
PEER = "timm.list_models()"
PLUGIN = """from essmc_core import hookimpl

@hookimpl
def register_components(registries):
    for number in range({count}):
        registries.backbones.register(f"Net{{number}}Of{index}", "{package}.nets:Net", summary="A network.")
"""


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--runs", type=int, default=7, help="runs of each command (median is shown)")
    parser.add_argument("--packs", type=int, nargs="+", default=[0, 250, 500, 1000], help="fabricated packs to add")
    arguments = parser.parse_args()
    for name, command in COMMANDS.items():
        if name != PEER:
            require_light(name, command)
    print_commands(measure(COMMANDS, arguments.runs))
    with tempfile.TemporaryDirectory() as folder:
        print_growth(measure_growth(arguments.packs, arguments.runs, Path(folder)))


def require_light(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Stops the benchmark if a command imports what listings must do without."""
    done = run(("-X", "importtime", *command), environment)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    if heavy := [module for module in HEAVY if module in imported]:
        raise SystemExit(f"{name} imports {', '.join(heavy)}")


def measure(
    commands: Mapping[str, Sequence[str]], runs: int, environments: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, float]:
    """Returns the median seconds of each command; one uncounted round warms the caches."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(runs + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            run(command, (environments or {}).get(name))
            if round_number:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs Python with these arguments to its end."""
    environment = {**os.environ, "COLUMNS": "120", **(environment or {})}
    # pip compiles what it installs, so what is fabricated here must be allowed to keep its byte code.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"python {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done


def measure_growth(counts: Sequence[int], runs: int, folder: Path) -> dict[int, float]:
    """Returns the seconds that ``import essmc_core`` takes on top of Python's start, by number of added packs."""
    names = {f"{count} packs": count for count in counts}
    environments = {}
    for name, count in names.items():
        site = folder / str(count)
        for index in range(count):
            write_pack(site, index)
        environments[name] = {"PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))}
        require_found(name, count, environments[name])
    seconds = measure(
        {START: COMMANDS[START], **dict.fromkeys(names, COMMANDS["import essmc_core"])}, runs, environments
    )
    return {count: seconds[name] - seconds[START] for name, count in names.items()}


def write_pack(site: Path, index: int) -> None:
    """Writes one installed distribution with a pack of its own."""
    package = f"essmc_bench_{index}"
    (site / package).mkdir(parents=True)
    (site / package / "__init__.py").write_text("")
    plugin = PLUGIN.format(count=COMPONENTS_PER_PACK, index=index, package=package)
    (site / package / "plugin.py").write_text(plugin)
    metadata = site / f"{package}-0.1.0.dist-info"
    metadata.mkdir()
    header = f"Metadata-Version: 2.1\nName: essmc-bench-{index}\nVersion: 0.1.0\nRequires-Dist: essmc-core>=0.1,<1\n"
    (metadata / "METADATA").write_text(header)
    (metadata / "entry_points.txt").write_text(f"[essmc]\nbench = {package}.plugin\n")


def require_found(name: str, count: int, environment: Mapping[str, str]) -> None:
    """Stops the benchmark if the packs it is about to time are not found, or not without heavy imports."""
    code = "import essmc_core; print(len(essmc_core.BACKBONES.names('*Net*Of*')))"
    found = int(run(("-c", code), environment).stdout)
    if found != count * COMPONENTS_PER_PACK:
        raise SystemExit(f"{name}: {found} components found, {count * COMPONENTS_PER_PACK} expected")
    require_light(name, COMMANDS["import essmc_core"], environment)


def print_commands(seconds: Mapping[str, float]) -> None:
    """Prints each command's time, what it adds to Python's start, and how many times longer timm's listing takes."""
    print(f"{'whole process':24}{'ms':>9}{'over python':>13}{'timm takes':>12}")
    for name, taken in seconds.items():
        above, times = (taken - seconds[START]) * 1e3, seconds[PEER] / taken
        print(f"{name:24}{taken * 1e3:9.1f}{above:13.1f}{times:11.1f}x")


def print_growth(seconds: Mapping[int, float]) -> None:
    """Prints the time of ``import essmc_core`` on top of Python's start, by number of packs."""
    print(f"\n{'packs added':24}{'components':>12}{'s over python':>16}")
    for count, taken in seconds.items():
        print(f"{count:<24}{count * COMPONENTS_PER_PACK:>12}{taken:>16.3f}")


if __name__ == "__main__":
    main()
