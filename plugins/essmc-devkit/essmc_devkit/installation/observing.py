"""What a child process runs that watches one pack being discovered."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from essmc_devkit.children.channel import Channel, limit_memory, telling_where_it_hangs
from essmc_devkit.children.limits import GIB
from essmc_devkit.installation.watching import Acts, HeavyImports, Modules, Settings

_SURE = 0.5
"""Seconds from which on an import is slow by itself."""


def main() -> None:
    """Answers the one request."""
    channel = Channel()
    import essmc_core

    assert essmc_core is not None
    channel.send(ready=True)
    requests = channel.requests()
    for name in next(requests)["preload"]:
        with contextlib.suppress(Exception):
            __import__(name)
    channel.send(ready=True)
    request = next(requests)
    limit_memory(int(request["memory"] * 1.5) + 2 * GIB)
    with telling_where_it_hangs(request["seconds"]):
        seen = _discover(request)
    channel.send(**seen)
    # Threads and exit handlers of the pack must not keep the process.
    os._exit(0)


def _discover(request: Mapping[str, Any]) -> dict[str, Any]:
    from essmc_core.models.defaults import DISCOVERY

    roots = [Path(path).resolve() for path in request["packages"]]
    heavy, acts = HeavyImports(roots), Acts(roots, Path(request["cache"]))
    sys.meta_path.insert(0, heavy)
    modules, settings, threads = Modules(), Settings(), set(threading.enumerate())
    imported = set(sys.modules)
    os.environ["ESSMC_PACKS"] = request["pack"]
    acts.watch()
    started_at = time.process_time()
    DISCOVERY.run()
    computed = time.process_time() - started_at
    acts.stop()
    changed = settings.changed()
    started = [thread for thread in threading.enumerate() if thread not in threads]
    acts.seen += [f"starts the thread {thread.name!r}" for thread in started]
    acts.seen += [f"leaves {path} in the current directory" for path in sorted(os.listdir(request["folder"]))]
    pack = next((one for one in DISCOVERY.packs.values() if one.name == request["pack"]), None)
    if pack is None:
        nothing: list[str] = []
        lists = dict.fromkeys(("registered", "hooks", "changed", "patched", "acts", "libraries"), nothing)
        return {"status": "missing", **lists}
    registered = _registered(request["pack"])
    seen = {
        "status": pack.status,
        "reason": pack.reason,
        "remedy": pack.remedy if pack.reason else "",
        "error": "" if pack.error is None else type(pack.error).__name__,
        "where": _line_of_the_pack(pack.error, roots),
        "registered": registered,
        "hooks": _hooks(DISCOVERY.manager),
        "heavy": {name: line for name, line in heavy.seen.items() if name in sys.modules},
        "seconds": _seconds(pack.ms / 1e3, computed),
        "changed": [*pack.changed, *changed],
        "patched": modules.replaced(),
        "acts": list(dict.fromkeys(acts.seen)),
        "libraries": _libraries(set(sys.modules) - imported, roots),
    }
    if pack.status == "ok":
        seen["again"] = _again(request["pack"], registered)
    return seen


def _seconds(passed: float, computed: float) -> float:
    """Returns what an import takes: on a busy machine a little time that passes is mostly that of others."""
    return passed if passed > _SURE else min(passed, computed)


def _libraries(imported: set[str], roots: list[Path]) -> list[str]:
    own = {root.stem for root in roots} | {"essmc_core", "essmc_devkit"}
    return sorted({name.partition(".")[0] for name in imported} - own - set(sys.stdlib_module_names))


def _registered(pack: str) -> list[dict[str, Any]]:
    from essmc_core.models.defaults import DISCOVERY, REGISTRIES, ZOO

    found: list[dict[str, Any]] = []
    for registry in REGISTRIES:
        for record in registry.table:
            if record.pack == pack:
                names = {"kind": registry.kind, "name": record.name, "bare": record.bare}
                found.append({**names, "target": str(record.target), "summary": record.summary})
    for entry in (entry for entry in ZOO.table if entry.pack == pack):
        # Rows of a table are one family, as components of one target are.
        target = str(entry.where) if entry.file is not None else entry.source.maker
        found.append({"kind": "zoo", "name": entry.name, "target": target})
    for command in DISCOVERY.commands:
        found.append({"kind": "commands", "name": command.name, "bare": command.bare, "target": command.target})
    return found


def _hooks(manager: Any) -> list[str]:
    from essmc_core.discovery.remarks import HOOKS

    found = [one.function for name in HOOKS for one in getattr(manager.hook, name).get_hookimpls()]
    return [f"{getattr(function, '__module__', '')}:{getattr(function, '__name__', '')}" for function in found]


def _line_of_the_pack(error: BaseException | None, roots: list[Path]) -> str:
    """Returns the innermost line of the pack in a traceback."""
    import traceback

    if error is None:
        return ""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.basename(error.filename)}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for root in roots:
            if Path(frame.filename).is_relative_to(root):
                return f"{Path(frame.filename).relative_to(root.parent)}:{frame.lineno}"
    return ""


def _again(name: str, before: list[dict[str, Any]]) -> str:
    from essmc_core.models.defaults import DISCOVERY

    DISCOVERY.run()
    (pack,) = (one for one in DISCOVERY.packs.values() if one.name == name)
    if pack.status != "ok":
        return pack.reason
    now = _registered(name)
    differing = sorted({f"{one['kind']}/{one['name']}" for one in [*before, *now] if (one in before) != (one in now)})
    return f"{', '.join(differing[:3])} differ" if differing else ""


if __name__ == "__main__":
    main()
