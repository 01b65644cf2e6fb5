"""Packs that take too long, end the process, print or change the process are named; nothing is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

NET = {"net.py": "class Net:\n    def __init__(self, width: int = 1):\n        self.width = width\n"}
HOOK = "from essmc_core import hookimpl\n@hookimpl\n"
NETS = HOOK + "def register_components(registries): registries.backbones.register('Net', 'odd.net:Net')\n"
PACKS = (
    "import essmc_core, json, os\n"
    "print(json.dumps({p.distribution: [p.status, p.reason, p.remarks] for p in essmc_core.packs()}))"
)


@pytest.fixture
def packs(site, python):
    """Returns what a fresh process finds, with a cache folder of this test's own."""

    def find(code=PACKS, **extra):
        cache = str(python.cwd.parent / "cache")
        return python.json(code, **{"ESSMC_CACHE_DIR": cache, "ESSMC_PACKS": "odd,good", **extra})

    site.add("good", components={"backbones.Good": "good.net:Net"}, files=NET)
    return find


def test_a_slow_pack_is_whole_the_first_time_and_left_out_once_it_is_slow_in_its_own_process_too(site, packs):
    site.add("odd", "import time\ntry:\n    time.sleep(1)\nexcept BaseException:\n    pass\n" + NETS, files=NET)
    first, second, third = (packs(ESSMC_PACK_TIMEOUT="0.4")["odd"] for _ in range(3))
    assert first[0] == "ok" and "more than the 0.4 s of ESSMC_PACK_TIMEOUT" in first[2][0]
    for later in (second, third):
        assert later[0] == "quarantined" and "PackLeftOut: odd took more than 0.4 s to import" in later[1]
    assert packs(ESSMC_PACK_TIMEOUT="0")["odd"][0] == "ok", "without a limit nothing is too slow"
    assert packs(ESSMC_PACK_TIMEOUT="0.4")["odd"][0] == "quarantined"
    (site.folder / "odd" / "plugin.py").write_text(NETS)
    assert packs(ESSMC_PACK_TIMEOUT="5")["odd"] == ["ok", "", []], "it has changed"


def test_a_pack_that_was_slow_once_is_taken_back_when_it_is_quick_in_its_own_process(site, packs, python):
    plugin = f"import os, time\ntime.sleep(0 if os.path.exists({str(python.cwd / 'warm')!r}) else 1)\n" + NETS
    site.add("odd", plugin, files=NET)
    assert packs(ESSMC_PACK_TIMEOUT="0.5")["odd"][2]
    (python.cwd / "warm").touch()
    assert packs(ESSMC_PACK_TIMEOUT="0.5")["odd"] == ["ok", "", []]


@pytest.mark.parametrize(
    ("statement", "how"),
    [("os._exit(0)", "exit status 0"), ("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 9)", "signal 9")],
)
def test_a_pack_that_ends_the_process_does_so_once(site, python, packs, statement, how):
    if os.name == "nt" and "kill" in statement:
        pytest.skip("no signals here")
    site.add("odd", f"import os\n{statement}")
    cache = {"ESSMC_CACHE_DIR": str(python.cwd.parent / "cache")}
    assert python.run("import essmc_core\nprint('alive')", check=False, **cache).stdout == ""
    found = packs()
    assert found["odd"][0] == "quarantined" and f"ended the process while it was imported ({how})" in found["odd"][1]
    assert found["good"][0] == "ok"
    assert packs()["odd"][0] == "quarantined"
    (site.folder / "odd" / "plugin.py").write_text(NETS + "# whole\n")
    assert packs()["odd"][0] == "ok"


def test_a_pack_that_hangs_is_left_out_after_its_process_was_killed(site, python, packs):
    site.add("odd", "import time\ntime.sleep(600)\n")
    cache = str(python.cwd.parent / "cache")
    environment = python.environment(ESSMC_CACHE_DIR=cache, ESSMC_PACK_TIMEOUT="0.3", ESSMC_PACKS="odd")
    command = [sys.executable, "-c", "import essmc_core"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=python.cwd) as process:
        told = process.stderr.readline()
        process.kill()
    assert "importing the pack odd has taken 0.3 s and goes on" in told
    assert "took more than 0.3 s to import" in packs(ESSMC_PACK_TIMEOUT="0.3")["odd"][1]


def test_retry_forgets_what_was_noted(site, python, packs):
    flag = python.cwd / "mended"
    site.add("odd", f"import os\nif not os.path.exists({str(flag)!r}): os._exit(3)\n" + NETS, files=NET)
    cache = {"ESSMC_CACHE_DIR": str(python.cwd.parent / "cache"), "ESSMC_PACKS": "odd"}
    python.run("import essmc_core", check=False, **cache)
    assert packs()["odd"][0] == "quarantined"
    flag.touch()
    assert packs()["odd"][0] == "quarantined", "the pack itself has not changed"
    assert "quarantined" not in python.essmc("packs", "--retry", **cache).stdout
    assert packs()["odd"][0] == "ok"


def listen_to_ctrl_c() -> None:
    # Shells let what they run in the background ignore it, tests and all that these start.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name == "nt", reason="no signals here")
def test_ctrl_c_in_a_long_import_reaches_the_user_and_is_noted(site, python, packs):
    site.add("odd", "import time\nopen('started', 'w').close()\ntime.sleep(600)\n")
    environment = python.environment(ESSMC_CACHE_DIR=str(python.cwd.parent / "cache"), ESSMC_PACKS="odd")
    command = [sys.executable, "-c", "import essmc_core"]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, cwd=python.cwd, preexec_fn=listen_to_ctrl_c
    ) as process:
        while not (python.cwd / "started").exists():
            time.sleep(0.05)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=100)[1]
    assert packs(ESSMC_PACK_TIMEOUT="0.3")["odd"][0] == "quarantined"


@pytest.mark.parametrize("kind", ["unwritable", "a file", "unknown user", "broken notes"])
def test_a_cache_folder_that_cannot_be_used_only_forgets(site, python, packs, kind):
    folder = python.cwd.parent / "cache"
    if kind == "a file":
        folder.write_text("")
    elif kind == "unwritable":
        folder.mkdir(mode=0o500)
    elif kind == "broken notes":
        (folder / "discovery").mkdir(parents=True)
        for name, text in (("good.json", "[1"), ("odd.json", '{"distribution": "odd", "what": 3}'), ("x.json", "[]")):
            (folder / "discovery" / name).write_text(text)
    extra = {"ESSMC_CACHE_DIR": "~no_such_user/cache"} if kind == "unknown user" else {}
    site.add("odd", NETS, files=NET)
    assert {name: status for name, (status, *_) in packs(**extra).items() if name in ("odd", "good")} == {
        "odd": "ok",
        "good": "ok",
    }


def test_no_marker_stays_behind(python, packs, site):
    site.add("odd", "import sys; sys.exit(3)")
    assert packs()["odd"][1] == "SystemExit: 3"
    assert os.listdir(python.cwd.parent / "cache" / "discovery") == []


STATE = {
    "the current directory": ("os.chdir('/')", "os.getcwd()"),
    "environment variables": ("os.environ['HOME'] = '/'; os.environ['NEW'] = 'x'", "os.environ.get('NEW')"),
    "sys.path": ("sys.path.insert(0, '/evil')", "'/evil' in sys.path"),
    "signal handlers": ("signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "repr(signal.getsignal(signal.SIGUSR1))"),
    "the alarm": ("signal.setitimer(signal.ITIMER_REAL, 900)", "signal.getitimer(signal.ITIMER_REAL)[0]"),
    "the recursion limit": ("sys.setrecursionlimit(5000)", "sys.getrecursionlimit()"),
    "warning filters": ("warnings.simplefilter('ignore')", "len(warnings.filters)"),
    "logging of the root logger": ("logging.basicConfig(level=10)", "len(logging.root.handlers)"),
    "random numbers": ("random.seed(0)", "random.getstate()[1][:5]"),
    "sys.excepthook": ("sys.excepthook = print", "sys.excepthook is print"),
    "garbage collection": ("gc.disable()", "gc.isenabled()"),
}


@pytest.mark.skipif(os.name == "nt", reason="signals and alarms are others there")
def test_state_of_the_process_is_put_back_and_the_pack_named(site, packs):
    imports = "import gc, logging, os, random, signal, sys, warnings\n"
    site.add("odd", imports + "\n".join(change for change, _ in STATE.values()) + "\n" + NETS, files=NET)
    shown = f"lambda: [{', '.join(f'str({show})' for _, show in STATE.values())}]"
    code = f"{imports}import json\nshow = {shown}\nbefore = show()\nimport essmc_core\nafter = show()\n"
    code += "print(json.dumps([before, after, next(p.remarks for p in essmc_core.packs() if p.name == 'odd')]))"
    before, after, remarks = packs(code)
    assert after == before
    for name in STATE:
        assert name in remarks[0], name


def test_torch_is_put_back_also_where_the_pack_imports_it(site, packs):
    site.add("odd", "import torch\ntorch.set_default_dtype(torch.float64)\n" + NETS, files=NET)
    found = packs("import essmc_core, json, torch\nprint(json.dumps([str(torch.get_default_dtype()), "
                  "next(p.remarks for p in essmc_core.packs() if p.name == 'odd')]))")  # fmt: skip
    assert found[0] == "torch.float32"
    assert found[1] == ["it changes torch's default dtype while it is discovered; that was put back"]


PRINTING = """
import os, sys
print("by print")
sys.stdout.buffer.write(b"by buffer\\n")
sys.stdout.buffer.flush()
os.write(1, b"by descriptor\\n")
os.system("echo by child")
import ctypes
try:
    ctypes.CDLL(None).printf(b"by C\\n")
except Exception:
    pass
sys.stdout.write("without end of line")
"""


@pytest.mark.skipif(os.name == "nt", reason="C's library is another one there")
def test_what_packs_print_goes_to_stderr_marked_and_json_stays_json(site, python):
    site.add("odd", PRINTING + "\n" + NETS, files=NET)
    done = python.essmc("list", "backbones", "--json", ESSMC_PACKS="odd")
    assert [found["name"] for found in json.loads(done.stdout)] == ["Net"]
    for text in ("by print", "by descriptor", "by child", "by C", "without end of line"):
        assert f"[odd] {text}\n" in done.stderr
    assert "by buffer" in done.stderr
    shown = python.essmc("packs", "--json", ESSMC_PACKS="odd")
    pack = next(pack for pack in json.loads(shown.stdout) if pack["name"] == "odd")
    assert pack["remarks"] == ["it prints while it is discovered; that was led to standard error"]


def test_stdout_is_the_programs_again_and_other_threads_keep_it(site, packs, python):
    site.add("odd", "import sys\nkept = sys.stdout\nsys.stdout = None\n" + NETS, files=NET)
    code = """
    import sys, threading
    before = sys.stdout
    import essmc_core
    assert sys.stdout is before
    import odd.plugin
    odd.plugin.kept.write("through what the pack kept\\n")
    stop = threading.Event()
    def talk():
        for _ in range(200):
            print("a line of the program")
    thread = threading.Thread(target=talk)
    thread.start()
    essmc_core.rediscover()
    thread.join()
    """
    done = python.run(code, ESSMC_PACKS="odd")
    lines = done.stdout.splitlines()
    assert lines[0] == "through what the pack kept" and lines[1:] == ["a line of the program"] * 200
    assert "a line" not in done.stderr


def test_discovery_in_a_thread_and_without_standard_streams(site, python):
    site.add("odd", "print('x')\n" + NETS, files=NET)
    code = """
    import os, sys, threading
    os.close(1); os.close(2)
    sys.stdout = sys.stderr = None
    def work():
        import essmc_core
        found.append("Net" in essmc_core.BACKBONES)
    found = []
    thread = threading.Thread(target=work); thread.start(); thread.join()
    os._exit(0 if found == [True] else 5)
    """
    assert python.run(code, ESSMC_PACKS="odd").returncode == 0
