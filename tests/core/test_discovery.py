"""Packs are found, asked, guarded and quarantined; each case is a distribution on disk and a fresh process."""

from __future__ import annotations

import json

import pytest

NET = {"net.py": "class Net:\n    def __init__(self, width: int = 1):\n        self.width = width\n"}
PACKS = "import essmc_core, json; print(json.dumps({p.distribution: [p.status, p.reason] for p in essmc_core.packs()}))"


def test_pack_is_found_and_its_component_built(site, python):
    site.add("acme", components={"backbones.Net": "acme.net:Net"}, files=NET)
    assert python.json("import essmc_core; print(essmc_core.BACKBONES.build('Net', width=3).width)") == 3
    assert python.json("import essmc_core; print(essmc_core.BACKBONES.build('acme/Net').width)") == 1


def test_importing_the_core_imports_neither_pack_code_nor_torch(site, python):
    site.add("acme", components={"backbones.Net": "acme.net:Net"}, files=NET)
    loaded = python.json(
        "import essmc_core, sys, json\n"
        "print(json.dumps([m for m in ('acme.net', 'torch', 'timm', 'torchvision', 'torchmetrics', 'numpy', 'rich',"
        " 'yaml', 'pydantic', 'griffe', 'click', 'urllib.request') if m in sys.modules]))"
    )
    assert loaded == []


@pytest.mark.parametrize(
    "arguments", [("--help",), ("packs",), ("list",), ("list", "backbones"), ("models",), ("models", "--json")]
)
def test_listing_commands_import_no_torch(python, arguments):
    code = f"""
    import sys
    from essmc_core.cli.app import cli
    cli.main({list(arguments)!r}, standalone_mode=False)
    heavy = [m for m in ("torch", "timm", "torchvision", "torchmetrics", "numpy") if m in sys.modules]
    print(heavy, file=sys.stderr)
    """
    assert python.run(code).stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        ("raise RuntimeError('no good')", "RuntimeError: no good"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
        ("import a_module_that_is_missing", "ModuleNotFoundError: No module named 'a_module_that_is_missing'"),
        ("def broken(:", "SyntaxError: invalid syntax (plugin.py, line 1)"),
        (
            "from essmc_core import hookimpl\n@hookimpl\ndef register_component(registries): pass",
            "PluginValidationError: unknown hook 'register_component' in plugin",
        ),
        (
            "from essmc_core import hookimpl\n@hookimpl\ndef register_components(registries, typo): pass",
            "PluginValidationError: Plugin 'bad:0' for hook 'register_components'",
        ),
        (
            "from essmc_core import hookimpl\n@hookimpl\ndef register_components(registries):\n"
            "    registries.backbones.register('Half', 'bad.net:Half')\n    raise KeyError('late')",
            "KeyError: 'late'",
        ),
        (
            "from essmc_core import hookimpl\n@hookimpl\ndef register_components(registries):\n"
            "    registries.backbone_types.register('Half', 'bad.net:Half')",
            "AttributeError: no kind of component is called 'backbone_types'",
        ),
        (
            "from essmc_core import hookimpl\n@hookimpl\ndef register_components(registries):\n"
            "    registries.heads.register('Half', 'bad.net')",
            "ValueError: target of 'Half' is 'bad.net'; it must read 'package.module:attribute'",
        ),
        (
            "from essmc_core import hookimpl\n@hookimpl\ndef register_zoo(zoo):\n    zoo.add_directory('nowhere')",
            "FileNotFoundError: zoo directory nowhere does not exist",
        ),
    ],
)
def test_broken_pack_is_quarantined_and_the_others_work(site, python, plugin, reason):
    site.add("bad", plugin)
    site.add("good", components={"backbones.Net": "good.net:Net"}, files=NET)
    found = python.json(PACKS)
    assert found["bad"][0] == "quarantined"
    assert found["bad"][1].startswith(reason)
    assert found["good"] == ["ok", ""]
    code = (
        "import essmc_core; print(essmc_core.BACKBONES.build('good/Net').width, 'Half' in essmc_core.BACKBONES.names())"
    )
    assert python.run(code).stdout.split() == ["1", "False"]


def test_ctrl_c_during_discovery_reaches_the_user(site, python):
    site.add("interrupted", "raise KeyboardInterrupt")
    assert "KeyboardInterrupt" in python.run("import essmc_core", check=False).stderr


@pytest.mark.parametrize("threshold", [0, 500])
def test_the_search_for_garbage_is_as_before_when_a_pack_ends_discovery(site, python, threshold):
    site.add("interrupted", "raise KeyboardInterrupt")
    code = f"""
    import gc
    gc.set_threshold({threshold}, 20, 5)
    try:
        import essmc_core
    except KeyboardInterrupt:
        print("interrupted", *gc.get_threshold())
    """
    assert python.run(code).stdout.split() == ["interrupted", str(threshold), "20", "5"]


def test_an_alarm_of_the_program_survives_discovery(site, python):
    site.add("acme", components={})
    code = """
    import signal
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 1000)
    import essmc_core
    print(signal.getitimer(signal.ITIMER_REAL)[0] > 900, signal.getsignal(signal.SIGALRM) is signal.SIG_IGN)
    """
    assert python.run(code).stdout.split() == ["True", "True"]


@pytest.mark.parametrize(
    ("requires", "status"),
    [
        ("essmc-core>=0.1,<1", "ok"),
        ("essmc-core", "ok"),
        ("essmc-core (>=0.1)", "ok"),
        ("essmc_core~=0.1", "ok"),
        ("essmc-core>=99", "quarantined"),
        ("essmc-core<0.1", "quarantined"),
        ("essmc-core==99.*", "quarantined"),
        ("essmc-core>=99; python_version < '3'", "ok"),
        ("", "ok"),
    ],
)
def test_range_of_cores_is_kept(site, python, requires, status):
    site.add("acme", "raise AssertionError('imported')" if status != "ok" else None, requires=requires)
    found = python.json(PACKS)["acme"]
    assert found[0] == status
    if status != "ok":
        assert found[1].startswith("IncompatibleCore: acme needs essmc-core")


def test_missing_name_of_a_broken_pack_says_so_and_chains_the_cause(site, python):
    plugin = "import absent\nregister = lambda r: r.backbones.register('Lost', 'bad.net:Lost')\n# registers 'Lost'"
    site.add("bad", plugin)
    code = """
    import essmc_core
    for name in ("Lost", "bad/Anything"):
        try:
            essmc_core.BACKBONES.build(name)
        except essmc_core.EssmcError as error:
            print(type(error).__name__, type(error.__cause__).__name__, "pip install absent" in str(error))
    """
    assert python.run(code).stdout.splitlines() == ["BrokenPack ModuleNotFoundError True"] * 2


@pytest.mark.parametrize("order", [("alpha", "beta"), ("beta", "alpha")])
def test_same_bare_name_from_two_packs_is_ambiguous_in_both_orders(new_site, python, order):
    for name in order:
        new_site(name).add(name, components={"backbones.Net": f"{name}.net:Net"}, files=NET)
    code = """
    import essmc_core
    try:
        essmc_core.BACKBONES["Net"]
    except essmc_core.EssmcError as error:
        print(type(error).__name__, "alpha/Net, beta/Net" in str(error))
    print(essmc_core.BACKBONES["beta/Net"].__module__, sorted(n for n in essmc_core.BACKBONES.names() if "/Net" in n))
    """
    assert python.run(code).stdout.splitlines() == ["AmbiguousComponent True", "beta.net ['alpha/Net', 'beta/Net']"]


@pytest.mark.parametrize("by", ["environment", "pyproject", "pyproject with kind", "parent folder"])
def test_pin_settles_an_ambiguous_name(new_site, python, by):
    for name in ("alpha", "beta"):
        new_site(name).add(name, components={"backbones.Net": f"{name}.net:Net"}, files=NET)
    extra = {}
    if by == "environment":
        extra["ESSMC_PINS"] = "Net=beta"
    else:
        key = '"backbones/Net"' if by == "pyproject with kind" else "Net"
        folder = python.cwd.parent if by == "parent folder" else python.cwd
        (folder / "pyproject.toml").write_text(f"[tool.essmc.pins]\n{key} = 'beta'\n")
    code = "import essmc_core; print(essmc_core.BACKBONES['Net'].__module__)"
    assert python.run(code, **extra).stdout == "beta.net\n"


def test_stale_shadowed_distribution_is_not_loaded(new_site, python):
    new_site("first").add("acme", components={"backbones.New": "acme.net:Net"}, files=NET, version="2.0")
    new_site("second").add("acme", "raise AssertionError('stale')", version="1.0")
    code = "import essmc_core; print([(p.version, p.status) for p in essmc_core.packs() if p.name == 'acme'])"
    assert python.run(code).stdout == "[('2.0', 'ok')]\n"


@pytest.mark.parametrize(
    ("variables", "ok"),
    [
        ({"ESSMC_BLOCK": "alpha"}, ["essmc-beta"]),
        ({"ESSMC_PACKS": "essmc-beta"}, ["essmc-beta"]),
        ({"ESSMC_PACKS": "beta, alpha", "ESSMC_BLOCK": "Essmc_Beta"}, ["alpha"]),
        ({"ESSMC_PACKS": ""}, []),
    ],
)
def test_blocking_and_allow_listing(site, python, variables, ok):
    for name in ("alpha", "essmc-beta"):
        package = name.replace("-", "_")
        site.add(name, components={"backbones.Net_" + package: f"{package}.net:Net"}, files=NET)
    found = python.json(PACKS, **variables)
    assert [name for name in ("alpha", "essmc-beta") if found[name][0] == "ok"] == ok
    assert all(status in ("ok", "blocked") for status, _ in found.values())


def test_blocked_pack_is_named_when_its_component_is_asked_for(site, python):
    site.add("acme", components={"backbones.Net": "acme.net:Net"}, files=NET)
    code = "import essmc_core\ntry: essmc_core.BACKBONES['acme/Net']\nexcept KeyError as error: print(error)"
    assert "acme brings it, and is left out by" in python.run(code, ESSMC_BLOCK="acme").stdout


def test_strict_mode_makes_a_quarantined_pack_an_error(site, python):
    site.add("bad", "raise RuntimeError('no good')")
    done = python.run("import essmc_core", check=False, ESSMC_STRICT="1")
    assert done.returncode == 1
    assert "BrokenPack: the pack bad 1.0 is quarantined: RuntimeError: no good" in done.stderr
    assert "RuntimeError: no good" in done.stderr.partition("BrokenPack")[0], "the cause is chained"


def test_two_distributions_of_one_short_name_do_not_mix(site, python):
    site.add("essmc-acme", components={"backbones.Net": "essmc_acme.net:Net"}, files=NET)
    site.add("acme", components={"backbones.Net": "acme.net:Net"}, files=NET)
    found = python.json(PACKS)
    assert found["acme"][0] == "ok"
    assert found["essmc-acme"][0] == "quarantined"
    assert python.run("import essmc_core; print(essmc_core.BACKBONES['acme/Net'].__module__)").stdout == "acme.net\n"


def test_spawned_worker_sees_the_same_components(site, python):
    site.add("acme", components={"backbones.Net": "acme.net:Net"}, files=NET)
    (python.cwd / "main.py").write_text(
        "import multiprocessing, essmc_core\n"
        "def work(registry): return registry.build('Net', width=7).width, registry is essmc_core.BACKBONES\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(work, [essmc_core.BACKBONES]))\n"
    )
    assert python.run("import runpy; runpy.run_path('main.py', run_name='__main__')").stdout == "[(7, True)]\n"


def test_rediscover_finds_what_was_installed_meanwhile_and_keeps_user_code(site, python):
    source = repr((site.folder / "acme").as_posix())
    site.add("acme", components={"backbones.Net": "acme.net:Net"}, files=NET)
    parked = site.folder.parent / "parked"
    site.folder.rename(parked)
    site.folder.mkdir()
    code = f"""
    import essmc_core, os, shutil
    @essmc_core.BACKBONES.register
    class Mine:
        pass
    print("Net" in essmc_core.BACKBONES)
    shutil.copytree({str(parked)!r}, {str(site.folder)!r}, dirs_exist_ok=True)
    packs = essmc_core.rediscover()
    print("Net" in essmc_core.BACKBONES, "Mine" in essmc_core.BACKBONES, "acme" in [p.name for p in packs])
    shutil.rmtree({source})
    shutil.rmtree({source} + "-1.0.dist-info")
    essmc_core.rediscover()
    print("Net" in essmc_core.BACKBONES, "Mine" in essmc_core.BACKBONES)
    """
    assert python.run(code).stdout.splitlines() == ["False", "True True True", "False True"]


def test_pack_may_add_a_kind_of_component(site, python):
    plugin = """
    from essmc_core import hookimpl

    @hookimpl
    def register_components(registries):
        registries.add_kind("detectors", "detector").register("Box", "acme.net:Net")
        registries.detectors.register("Box2", "acme.net:Net")
        registries.models.register("Finder", "acme.finder:Finder")
    """
    finder = """
    from typing import Annotated, Any
    from essmc_core.contract.annotations import Nested

    Detector = Annotated[Any, Nested("detectors")]

    class Finder:
        def __init__(self, detector: Detector):
            self.detector = detector
    """
    site.add("acme", plugin, files={**NET, "finder.py": finder})
    code = """
    import essmc_core
    print(essmc_core.REGISTRIES.detectors.names())
    print(essmc_core.MODELS.build({"type": "Finder", "detector": {"type": "Box", "width": 5}}).detector.width)
    """
    assert python.run(code).stdout.splitlines() == ["['Box', 'Box2']", "5"]


def test_command_of_a_pack_is_listed_and_run_and_a_broken_one_leaves_the_rest(site, python):
    plugin = """
    from essmc_core import hookimpl

    @hookimpl
    def register_commands(cli):
        cli.add_lazy("greet", "acme.greet:greet", help="Say hello.")
    """
    greet = "import click\n@click.command()\ndef greet():\n    print('hello')\n"
    site.add("acme", plugin, files={"greet.py": greet})
    site.add("bad", "from essmc_core import hookimpl\n@hookimpl\ndef register_commands(cli): raise RuntimeError('x')")
    assert "greet" in python.essmc("--help").stdout
    assert python.essmc("greet").stdout == "hello\n"


def test_packs_command_shows_status_reason_and_traceback(site, python):
    site.add("bad", "\n\nraise RuntimeError('no good')")
    shown = python.essmc("packs", "--traceback").stdout
    assert "bad is quarantined: RuntimeError: no good" in shown
    assert 'plugin.py", line 3' in shown
    by_name = {pack["distribution"]: pack for pack in json.loads(python.essmc("packs", "--json").stdout)}
    assert by_name["bad"]["status"] == "quarantined"
    assert "ESSMC_BLOCK=bad" in by_name["bad"]["remedy"]
    assert by_name["essmc-core"]["status"] == "ok"


def test_a_pack_that_imports_a_heavy_library_is_named(site, python):
    site.add("eager", "import torchmetrics", files={})
    (site.folder / "torchmetrics.py").write_text("")
    assert "eager imports torchmetrics at discovery" in python.essmc("packs").stdout


def test_a_thousand_packs_of_twenty_components(site, python):
    body = "\n".join(f"    registries.backbones.register('C{i}_' + __name__, __name__ + ':C')" for i in range(20))
    plugin = f"from essmc_core import hookimpl\n@hookimpl\ndef register_components(registries):\n{body}\n"
    for number in range(1000):
        site.add(f"p{number}", plugin)
    counts = python.json(
        "import essmc_core, json, re\n"
        "ok = [p for p in essmc_core.packs() if p.status == 'ok' and re.fullmatch(r'p[0-9]+', p.name)]\n"
        "print(json.dumps([len(ok), len(essmc_core.BACKBONES.names('C*_p*.plugin'))]))"
    )
    assert counts == [1000, 20000]
