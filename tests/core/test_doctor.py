"""``essmc doctor``: each kind of damage is a line with what to do, and the report tells no secrets."""

from __future__ import annotations

import json
import re

import pytest

from essmc_core.discovery.pack import Pack
from essmc_core.installation.doctor import accelerators, cache, diagnosis, terminal, variables
from essmc_core.installation.doctor.libraries import libraries_section
from essmc_core.installation.doctor.markdown import markdown
from essmc_core.installation.doctor.section import Section

BROKEN_TORCH = "raise ImportError('libcudart.so.12: cannot open shared object file')"


@pytest.fixture
def damaged(site, python, tmp_path):
    """An installation with a fault of every kind that packs, names, zoo, cache and variables can have."""
    home = tmp_path / "homes" / "erin"
    home.mkdir(parents=True)
    (site.folder / "torch").mkdir()
    (site.folder / "torch" / "__init__.py").write_text(BROKEN_TORCH)
    site.add("essmc-good", components={"heads.Twice": "essmc_good.x:Y", "heads.Pinned": "essmc_good.x:Y"})
    site.add("essmc-other", components={"heads.Twice": "essmc_other.x:Y", "heads.Pinned": "essmc_other.x:Y"})
    site.add("essmc-bad", f"raise RuntimeError('no {home}/w.pt with https://erin:pw1@h.example/?token=pw2')")
    zoo = "from essmc_core import hookimpl\nfrom pathlib import Path\n\n@hookimpl\ndef register_zoo(zoo):\n"
    zoo += "    zoo.add_directory(Path(__file__).parent / 'zoo')\n"
    site.add("essmc-shelf", zoo, files={"zoo/fine.yaml": "model: {type: Twice}\n", "zoo/wrong.yaml": "modle: 1\n"})
    site.add("essmc-needy", requires="essmc-core>=0.1,<1\nRequires-Dist: numpy>=999\nRequires-Dist: not-there-at-all")
    return {
        "HOME": str(home), "USER": "erin", "LOGNAME": "erin", "ESSMC_PINS": "Pinned=good,Nothing=good",
        "ESSMC_PACKS": "good,other,bad,shelf,needy", "ESSMC_CACH_DIR": "sesame", "ESSMC_XYZZY_OWN": "sesame",
        "ESSMC_INDEX": "https://erin:pw1@127.0.0.1:9/i.json?token=pw2,none.json", "ESSMC_PACK_TIMEOUT": "soon",
        "ESSMC_CACHE_DIR": "/dev/null/x", "XDG_CACHE_HOME": str(home / ".cache"),
    }  # fmt: skip


def test_each_fault_is_a_problem_with_what_to_do(damaged, python, tmp_path):
    report = tmp_path / "report.md"
    done = python.essmc("doctor", "--json", "--report", str(report), check=False, **damaged)
    assert done.returncode == 1, done.stderr
    problems = {
        (problem["section"], problem["message"].split(":")[0]): problem
        for problem in json.loads(done.stdout)["problems"]
    }
    expected = {
        ("torch and accelerators", "torch cannot be used"): "install torch anew",
        ("Libraries", "essmc-needy needs numpy>=999, and"): "pip install 'numpy>=999'",
        ("Libraries", "essmc-needy needs not-there-at-all, and it is not installed"): "pip install 'not-there-at-all'",
        ("Packs", "essmc-bad 1.0 is quarantined"): "ESSMC_BLOCK=bad",
        ("Names", "2 packs offer 'Twice' under heads"): "pin one",
        ("Names", "the pin Nothing = 'good' chooses nothing"): "remove Nothing",
        ("Zoo", "shelf/wrong cannot be read"): "wrong.yaml",
        ("Cache", "nothing can be kept in the cache folder /dev/null/x"): "set ESSMC_CACHE_DIR",
        ("Variables", "ESSMC_CACH_DIR is not understood"): "did you mean ESSMC_CACHE_DIR?",
        ("Variables", "ESSMC_PACK_TIMEOUT=soon is not understood"): "seconds",
    }
    for (section, start), fix in expected.items():
        found = [
            problem for (title, message), problem in problems.items() if title == section and message.startswith(start)
        ]
        assert len(found) == 1 and fix in found[0]["fix"], (start, problems)
    assert len(problems) == len(expected), problems
    notes = {note["section"]: note["message"] for note in json.loads(done.stdout)["notes"]}
    assert "none.json" in notes["Indexes"]
    written = report.read_text()
    for shown in (done.stdout, written):
        assert not re.search("erin|sesame|pw1|pw2|homes", shown)
        assert "~/w.pt" in shown and "h.example" in shown
    assert "libcudart" in written and "ESSMC\\_XYZZY\\_OWN" in written


def test_a_report_that_cannot_be_written_is_a_mistake(damaged, python):
    done = python.essmc("doctor", "--report", "/dev/null/report.md", check=False, **damaged)
    assert done.returncode == 2 and "/dev/null/report.md cannot be written" in done.stderr


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import os; os._exit(3)", "it ended the process (exit status 3)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "it ended the process (signal 11)"),
        ("import time; time.sleep(60)", "took more than 1 s"),
        ("raise SystemExit('no')", "SystemExit: no"),
        ("print('essmc-doctor: no'); __version__ = '2'", "AttributeError"),
    ],
)
def test_a_torch_that_crashes_or_hangs_is_told(site, monkeypatch, source, message):
    (site.folder / "torch").mkdir()
    (site.folder / "torch" / "__init__.py").write_text(source)
    monkeypatch.syspath_prepend(str(site.folder))
    # A hung import has to be ended; the others need the time that a busy machine takes.
    monkeypatch.setattr(accelerators, "_SECONDS", 1.0 if "sleep" in source else 100.0)
    (problem,) = accelerators.torch_section().problems
    assert message in problem.message and "pip install" in problem.fix


def test_without_torch_there_is_one_problem(monkeypatch):
    monkeypatch.setattr(accelerators, "find_spec", lambda name: None)
    section = accelerators.torch_section()
    assert [problem.fix for problem in section.problems] == ["pip install torch"]
    assert section.facts == {"torch": "not installed"}


def test_devices_that_cannot_compute_and_drivers_that_are_not_used_are_told(monkeypatch):
    answer = {
        "version": "2.9", "seconds": 1.0, "built_for": "CUDA 13.0", "cpu": "2 threads", "why_not": "(too old)",
        "devices": {"cuda:0": {"about": "GPU A", "error": ""}, "cuda:1": {"about": "GPU B", "error": "no kernel"}},
    }  # fmt: skip
    monkeypatch.setattr(accelerators, "_ask", lambda: answer)
    monkeypatch.setattr(accelerators, "_has_nvidia_driver", lambda: True)
    section = accelerators.torch_section()
    assert section.facts["cuda:0"] == "GPU A: usable" and section.facts["cuda:1"] == "GPU B: not usable"
    assert [problem.message for problem in section.problems] == ["cuda:1 cannot compute: no kernel"]
    answer["devices"] = {}
    (problem,) = accelerators.torch_section().problems
    assert problem.message == "there is an NVIDIA driver that torch cannot use (too old)"
    answer["built_for"] = "cpu"
    section = accelerators.torch_section()
    assert section.problems == [] and "built for CPUs alone" in section.notes[0].message


@pytest.mark.slow
def test_the_installed_torch_works_here():
    section = accelerators.torch_section()
    assert section.problems == []
    assert "threads" in section.facts["cpu"]


def test_a_pack_without_metadata_asks_for_no_libraries():
    section = libraries_section([Pack("nowhere", "essmc-nowhere", "1")])
    assert "numpy" in section.facts and section.problems == []


def test_a_full_disk_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "w.pt").write_bytes(b"x" * 2048)
    assert cache.cache_section().facts["size"] == "2.0 KiB in 1 files"
    usage = cache.shutil.disk_usage(tmp_path)._replace(free=5 << 20)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage)
    (problem,) = cache.cache_section().problems
    assert problem.message.startswith("5.0 MiB are free")


def test_an_encoding_without_the_characters_that_are_printed_is_a_problem(monkeypatch):
    class Ascii:
        encoding = "ascii"

        def isatty(self):
            return False

    monkeypatch.setattr(terminal.sys, "stdout", Ascii())
    (problem,) = terminal.terminal_section().problems
    assert "PYTHONIOENCODING=utf-8" in problem.fix


def test_values_of_unknown_variables_are_not_shown(monkeypatch):
    monkeypatch.setenv("ESSMC_MY_OWN", "sesame")
    section = variables.variables_section([])
    assert section.facts["ESSMC_MY_OWN"] == "(not read by essmc)"


def test_a_section_that_fails_is_a_problem_of_its_own(monkeypatch):
    def fail():
        raise OSError("no such luck")

    section = diagnosis._looked("Cache", fail)
    assert "OSError: no such luck" in section.problems[0].message


def test_text_of_packs_is_no_markup():
    section = Section("Packs", {"essmc-x": "<b>`a`|[x](y) @somebody #1\n# heading"})
    section.problem("a\nb", "c")
    shown = markdown([section])
    assert "\n# heading" not in shown and "<b>" not in shown.replace("\\<b\\>", "") and "@somebody" not in shown
    assert "- a b: c" in shown
