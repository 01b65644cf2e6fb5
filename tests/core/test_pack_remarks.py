"""Packs that work and yet do not do what their authors meant say so; names of commands are never first come."""

from __future__ import annotations

import json

import pytest

HOOK = "from essmc_core import hookimpl\n@hookimpl\n"
GREET = "import click\n@click.command()\ndef greet():\n    print('hello from', __name__)\n"


def _remarks(python, **extra):
    found = json.loads(python.essmc("packs", "--json", **extra).stdout)
    return {pack["distribution"]: pack for pack in found}


@pytest.mark.parametrize(
    ("plugin", "expected"),
    [
        ("def register_components(registries): pass", "register_components in odd.plugin is not marked with @hookimpl"),
        ("def register_component(registries): pass", "register_component: did you mean 'register_components'"),
        ("", "it brings nothing: none of its hooks registered anything; hooks are register_components"),
        (HOOK + "def register_components(registries): pass", "it brings nothing"),
        (
            HOOK + "def register_zoo(zoo):\n    from pathlib import Path\n"
            "    folder = Path(__file__).parent / 'zoo'\n    folder.mkdir(exist_ok=True)\n"
            "    (folder / 'a.yml').touch()\n    zoo.add_directory(folder)",
            "holds no *.yaml; a.yml should end in .yaml",
        ),
    ],
)
def test_a_pack_that_brings_nothing_says_why(site, python, plugin, expected):
    site.add("odd", plugin)
    pack = _remarks(python)["odd"]
    assert pack["status"] == "ok"
    assert any(expected in remark for remark in pack["remarks"])
    assert expected in python.essmc("packs").stdout


def test_a_zoo_folder_that_is_not_in_the_wheel_is_explained(site, python):
    site.add("odd", HOOK + "def register_zoo(zoo): zoo.add_directory('/nowhere/zoo')")
    assert "were not put into it" in _remarks(python)["odd"]["reason"]


def test_errors_of_hooks_are_whole_and_name_the_nearest_hook(site, python):
    site.add("odd", HOOK + "def register_component(registries): pass")
    site.add("even", HOOK + "def register_components(registries, typo): pass")
    found = _remarks(python)
    assert "did you mean 'register_components'?" in found["odd"]["remedy"]
    assert "typo" in found["even"]["reason"] and "hookimpl definition" in found["even"]["reason"]


def test_commands_are_listed_under_brings(site, python):
    site.add("acme", HOOK + "def register_commands(cli): cli.add_lazy('greet', 'acme.greet:greet', help='Hi.')")
    assert _remarks(python)["acme"]["commands"] == ["greet"]
    line = next(line for line in python.essmc("packs").stdout.splitlines() if line.startswith("acme"))
    assert "command greet" in line


def _greeter(name, *commands):
    lines = "".join(f"    cli.add_lazy({c!r}, '{name}.greet:greet', help='Hi.')\n" for c in commands)
    return HOOK + f"def register_commands(cli):\n{lines}"


def test_a_command_of_two_packs_is_a_conflict_and_never_first_come(site, python):
    for name in ("alpha", "beta"):
        site.add(name, _greeter(name, "greet", f"only-{name}"), files={"greet.py": GREET})
    found = _remarks(python)
    for name in ("alpha", "beta"):
        assert found[name]["status"] == "ok"
        assert found[name]["remarks"] == [
            "2 packs offer the command 'greet': write `essmc alpha/greet` or `essmc beta/greet`"
        ]
        assert python.essmc(f"{name}/greet").stdout == f"hello from {name}.greet\n"
        assert python.essmc(f"only-{name}").stdout == f"hello from {name}.greet\n"
    done = python.essmc("greet", check=False)
    assert done.returncode == 2 and "alpha/greet, beta/greet" in done.stderr and "Traceback" not in done.stderr
    assert python.essmc("greet", ESSMC_PINS="greet=beta").stdout == "hello from beta.greet\n"
    shown = python.essmc("--help").stdout
    assert "alpha/greet" in shown and "beta/greet" in shown and "only-alpha" in shown


def test_a_command_of_the_core_stays_the_cores(site, python):
    site.add("acme", _greeter("acme", "list", "greet"), files={"greet.py": GREET})
    pack = _remarks(python)["acme"]
    assert pack["status"] == "ok"
    assert pack["remarks"] == ["the command 'list' is the core's own; this pack's is `essmc acme/list`"]
    assert "backbones" in python.essmc("list").stdout
    assert python.essmc("acme/list").stdout == python.essmc("greet").stdout == "hello from acme.greet\n"


@pytest.mark.parametrize(
    "call",
    [
        "cli.add_lazy('two words', 'odd.greet:greet', help='Hi.')",
        "cli.add_lazy('a/b', 'odd.greet:greet', help='Hi.')",
        "cli.add_lazy('greet', 'odd.greet', help='Hi.')",
        "cli.add_lazy('greet', 'odd.greet:greet', help=None)",
        "cli.add_lazy('greet', 'odd.greet:greet', help='x\\n' * 2)",
        "cli.add_lazy('greet', 'odd:g', help='x'); cli.add_lazy('greet', 'odd:g', help='x')",
    ],
)
def test_commands_are_checked_when_they_are_staged(call):
    from essmc_core.discovery.commands import StagedCommands

    with pytest.raises(ValueError, match=r"it must|registered twice"):
        exec(call, {"cli": StagedCommands("odd")})


def test_a_command_that_cannot_be_imported_is_one_message(site, python):
    site.add("acme", _greeter("acme", "greet"), files={"greet.py": "import torch_absent\n"})
    done = python.essmc("greet", check=False)
    assert done.returncode == 2
    assert "the command acme/greet of acme cannot be imported" in done.stderr
    assert "pip install torch_absent" in done.stderr and "Traceback" not in done.stderr
    assert python.essmc("list").returncode == 0


def test_names_stay_to_be_found_while_another_thread_rediscovers(site, python):
    site.add("acme", components={"backbones.Net": "acme.net:Net"})
    code = """
    import essmc_core, threading
    failures, done = [], threading.Event()
    def look():
        while not done.is_set():
            try:
                essmc_core.BACKBONES.component("acme/Net")
                assert "Net" in essmc_core.BACKBONES.names("Net")
                assert any(pack.name == "acme" for pack in essmc_core.packs())
                essmc_core.ZOO.entry("core/" + name)
            except BaseException as error:
                failures.append(repr(error))
                return
    name = next(entry.name for entry in essmc_core.ZOO.table if entry.pack == "core")
    threads = [threading.Thread(target=look) for _ in range(3)]
    [thread.start() for thread in threads]
    for _ in range(5):
        essmc_core.rediscover()
    done.set()
    [thread.join() for thread in threads]
    print(failures)
    """
    assert python.run(code, ESSMC_PACKS="acme").stdout == "[]\n"


def test_odd_arguments_of_a_hook_are_answered_by_how_it_reads(site, python):
    site.add("odd", HOOK + "def register_commands(commands): pass")
    assert _remarks(python)["odd"]["remedy"] == "it reads: def register_commands(cli)"


def test_two_distributions_of_one_plugin_are_told_apart(site, python):
    site.add("acme", _greeter("acme", "greet"), files={"greet.py": GREET})
    site.add("old-acme", _greeter("acme", "greet"), entry_point="acme.plugin")
    found = _remarks(python)
    assert found["acme"]["status"] == "ok"
    assert found["old-acme"]["reason"] == (
        "DuplicateComponent: its entry point acme.plugin is what acme has registered already"
    )
    assert "pip uninstall" in found["old-acme"]["remedy"]


def test_endless_texts_of_broken_packs_are_shortened(site, python):
    for number in range(8):
        site.add(f"odd{number}", "raise ValueError('x' * 1_000_000)")
    found = _remarks(python)
    assert found["odd0"]["reason"].endswith("x … (998,000 more characters)")
    answer = python.essmc("build", "nobody", check=False).stderr
    assert len(answer) < 3000 and "and 3 more, see `essmc packs`" in answer


def test_what_a_pack_closes_and_empties_stays_open_for_the_program(site, python):
    site.add("odd", "import sys\nsys.stdout.close()\nsys.argv[:] = ['nothing']\n" + _greeter("odd", "greet"))
    pack = _remarks(python)["odd"]
    assert pack["status"] == "ok"
    assert pack["remarks"] == ["it changes sys.argv while it is discovered; that was put back"]


def test_names_have_a_greatest_length(site, python):
    site.add("odd", HOOK + "def register_components(registries): registries.heads.register('H' * 1000, 'odd.x:X')")
    assert "1,000 characters; 200 are the most" in _remarks(python)["odd"]["reason"]
