"""Targets that cannot be imported: one message with pack, component, target and what to do, no traceback."""

from __future__ import annotations

import threading

import pytest

from essmc_core.errors import EssmcError, TargetAttributeMissing, TargetImportError, TargetModuleMissing
from essmc_core.registry.component import Component
from essmc_core.registry.missing_modules import remedy_of_missing

NET = "class ResNet:\n    def __init__(self, width: int = 1):\n        self.width = width\n"


@pytest.mark.parametrize(
    ("target", "files", "kind", "expected"),
    [
        ("acme.nett:ResNet", {}, "TargetModuleMissing", ["module 'acme.nett'", "did you mean 'acme.net'"]),
        ("acne.net:ResNet", {}, "TargetModuleMissing", ["module 'acne'", "--force-reinstall acme", "'acme'"]),
        ("acme.nett.deep:ResNet", {}, "TargetModuleMissing", ["module 'acme.nett'", "did you mean 'acme.net'"]),
        ("acme.net:ResNet5", {}, "TargetAttributeMissing", ["names 'ResNet5'", "did you mean 'ResNet'", "net.py"]),
        ("acme.net:ResNet.mkae", {}, "TargetAttributeMissing", ["names 'mkae'", "ResNet does not have"]),
        ("acme.net:WIDTH", {"net.py": "WIDTH = 3\n"}, "TargetImportError", ["'int'", "a class or a function"]),
        ("acme.net:R", {"net.py": "\nimport cv2_absent\n"}, "TargetModuleMissing", ["pip install cv2_absent", "py:2:"]),
        ("acme.net:R", {"net.py": "import acme.helpr\n", "helper.py": ""}, "TargetModuleMissing", ["'acme.helper'"]),
        ("acme.net:R", {"net.py": "import json.absent\n"}, "TargetModuleMissing", ["pip install -U json"]),
        ("acme.net:R", {"net.py": "\n\ndef broken(:\n"}, "TargetImportError", ["SyntaxError", "net.py:3:"]),
        ("acme.net:R", {"net.py": "\n1 / 0\n"}, "TargetImportError", ["ZeroDivisionError: division", "net.py:2:"]),
        ("acme.net:R", {"net.py": "import sys; sys.exit(3)\n"}, "TargetImportError", ["SystemExit: 3"]),
        ("acme.net:R", {"net.py": "from json import lods\n"}, "TargetImportError", ["cannot import name 'lods'"]),
        (
            "acme.net:R",
            {"net.py": "class Odd(Exception):\n    def __str__(self): return 1 / 0\nraise Odd\n"},
            "TargetImportError",
            ["Odd", "net.py:3:"],
        ),
        ("acme.net:R", {"net.py": "def __getattr__(name):\n    import gone\n"}, "TargetModuleMissing", ["'gone'"]),
    ],
)
def test_one_message_names_pack_component_target_and_remedy(site, python, target, files, kind, expected):
    site.add("acme", components={"backbones.Net": target}, files={"net.py": NET, **files})
    code = """
    import essmc_core
    try:
        essmc_core.BACKBONES.build("Net")
    except essmc_core.EssmcError as error:
        print(type(error).__name__, isinstance(error, ImportError), str(error))
    """
    shown = python.run(code).stdout
    assert shown.startswith(f"{kind} True ")
    for part in ("acme/Net (backbones) of acme", *expected):
        assert part in shown


def test_command_line_shows_one_message_and_the_traceback_on_request(site, python):
    site.add("acme", components={"models.Net": "acme.net:Net"}, files={"net.py": "import torch_absent\n"})
    done = python.essmc("build", "--type", "Net", check=False)
    (python.cwd / "net.yaml").write_text("model:\n  type: Net\n")
    done = python.essmc("build", "net.yaml", check=False)
    assert done.returncode == 2
    assert "acme/Net (models) of acme cannot be imported" in done.stderr
    assert "pip install torch_absent" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in python.essmc("build", "net.yaml", check=False, ESSMC_DEBUG="1").stderr


def test_an_error_of_ours_at_import_keeps_its_type_and_gains_the_component(site, python):
    files = {"net.py": "from essmc_core.errors import MissingDependency\nraise MissingDependency('no', hint='yes')\n"}
    site.add("acme", components={"backbones.Net": "acme.net:Net"}, files=files)
    code = """
    import essmc_core
    try:
        essmc_core.BACKBONES["Net"]
    except essmc_core.EssmcError as error:
        print(type(error).__name__, error.hint, error.__notes__)
    """
    assert python.run(code).stdout.startswith("MissingDependency yes ['while importing acme/Net (backbones) of acme")


def test_ctrl_c_while_a_target_is_imported_reaches_the_user(site, python):
    site.add("acme", components={"backbones.Net": "acme.net:Net"}, files={"net.py": "raise KeyboardInterrupt\n"})
    done = python.run("import essmc_core; essmc_core.BACKBONES['Net']", check=False)
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")


def test_user_code_is_named_by_its_own_pack():
    with pytest.raises(TargetModuleMissing, match=r"local/Net \(heads\) of local") as caught:
        Component("heads", "Net", "local", "module_that_is_missing:Net").load()
    assert caught.value.name == "module_that_is_missing"
    assert isinstance(caught.value, ModuleNotFoundError)
    for kind in (TargetAttributeMissing, TargetModuleMissing):
        assert issubclass(kind, TargetImportError) and issubclass(kind, EssmcError)


def test_pip_line_knows_distributions_that_are_called_otherwise(site, python):
    assert remedy_of_missing("yaml_absent").startswith("pip install yaml_absent (or whatever")
    site.add("acme", files={})
    info = next(site.folder.glob("acme*.dist-info")) / "METADATA"
    info.write_text(info.read_text().rstrip() + "\nRequires-Dist: opencv_python>=4; extra == 'video'\n\n")
    code = """
    import sys
    sys.modules["cv2"] = None
    from essmc_core.registry.missing_modules import remedy_of_missing
    print(remedy_of_missing("cv2", "acme"))
    print(remedy_of_missing("skvideo"))
    """
    shown = python.run(code).stdout.splitlines()
    assert shown[0] == "pip install 'acme[video]'"


CIRCLE = {
    "a/__init__.py": "import time; time.sleep(0.05)\nfrom acme.a import x\nfrom acme.b import y\nNAME = 'a'\n",
    "a/x.py": "import time; time.sleep(0.05)\n",
    "a/net.py": "import acme.a\nimport acme.b\nclass Net:\n    name = acme.a.NAME + acme.b.NAME\n",
    "b/__init__.py": "import time; time.sleep(0.05)\nfrom acme.b import y\nfrom acme.a import x\nNAME = 'b'\n",
    "b/y.py": "import time; time.sleep(0.05)\n",
    "b/net.py": "import acme.b\nimport acme.a\nclass Net:\n    name = acme.a.NAME + acme.b.NAME\n",
}


def test_libraries_that_import_each_other_are_imported_by_two_threads(site, python):
    site.add("acme", components={"backbones.A": "acme.a.net:Net", "heads.B": "acme.b.net:Net"}, files=CIRCLE)
    code = """
    import essmc_core, threading
    start, found = threading.Barrier(2), []
    def load(registry, name):
        start.wait()
        try:
            found.append(registry[name].name)
        except BaseException as error:
            found.append(repr(error))
    pairs = [(essmc_core.BACKBONES, "A"), (essmc_core.HEADS, "B")]
    threads = [threading.Thread(target=load, args=pair) for pair in pairs]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(found)
    """
    assert python.run(code).stdout == "['ab', 'ab']\n"


def test_a_thread_inside_an_import_does_not_wait_for_one_that_needs_that_module(site, python):
    files = {
        "net.py": "import time; time.sleep(0.3)\nimport acme.user\nclass Net:\n    pass\n",
        "user.py": "import time, essmc_core\ntime.sleep(0.6)\nessmc_core.HEADS['Head']\n",
        "head.py": "class Head:\n    pass\n",
    }
    site.add("acme", components={"backbones.Net": "acme.net:Net", "heads.Head": "acme.head:Head"}, files=files)
    code = """
    import essmc_core, threading
    threads = [
        threading.Thread(target=lambda: essmc_core.BACKBONES["Net"], daemon=True),
        threading.Thread(target=lambda: __import__("acme.user"), daemon=True),
    ]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    print([thread.is_alive() for thread in threads])
    """
    assert python.run(code).stdout == "[False, False]\n"


def test_a_forked_child_does_not_inherit_a_lock_that_nobody_will_release():
    os = pytest.importorskip("os")
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    from essmc_core.registry.import_lock import one_import_at_a_time

    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with one_import_at_a_time():
            held.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)
    child = os.fork()
    if not child:
        with one_import_at_a_time():
            os._exit(7)
    done.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
