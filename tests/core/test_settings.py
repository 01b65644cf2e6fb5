"""Odd values of ``ESSMC_`` variables are refused by name at the command line, and never end an import."""

from __future__ import annotations

import pytest

from essmc_core.foundation import settings

ODD = {
    "ESSMC_PACK_TIMEOUT": ["abc", "nan", "-1", "inf", "30s", "١x"],
    "ESSMC_STRICT": ["maybe", "2", "ja"],
    "ESSMC_OFFLINE": ["ja", "-"],
    "ESSMC_DEBUG": ["verbose"],
    "ESSMC_VIDEO_DECODER": ["nvdec", "1"],
    "ESSMC_PACKS": ["vidio"],
    "ESSMC_BLOCK": ["vidio"],
    "ESSMC_PINS": ["Net", "Net=vidio", "=video"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ODD.items() for value in values])
def test_each_odd_value_is_one_complaint_that_names_the_variable(monkeypatch, name, value):
    from essmc_core.discovery.named_packs import complaints

    for known in settings.KNOWN:
        monkeypatch.delenv(known, raising=False)
    assert complaints(["video"]) == []
    monkeypatch.setenv(name, value)
    (found,) = complaints(["video"])
    assert name in str(found) and value.rpartition("=")[2] in str(found)
    if value.endswith("vidio"):
        assert "did you mean 'video'?" in str(found) and "installed packs: video" in str(found)
    else:
        assert found.hint or name == "ESSMC_PINS"


@pytest.mark.parametrize("value", ["1", "true", "Yes", " on "])
def test_flags_understand_several_spellings(monkeypatch, value):
    monkeypatch.setenv("ESSMC_STRICT", value)
    assert settings.flag("ESSMC_STRICT")
    for no in ("", "0", "FALSE", "no", "off"):
        monkeypatch.setenv("ESSMC_STRICT", no)
        assert not settings.flag("ESSMC_STRICT")


@pytest.mark.parametrize("name", ["ESSMC_PACK_TIMEOUT", "ESSMC_STRICT", "ESSMC_PACKS"])
def test_import_warns_and_the_command_line_refuses(python, name):
    extra = {name: ODD[name][0], "ESSMC_BLOCK": ""}
    done = python.run("import essmc_core; print('alive')", **extra)
    assert done.stdout == "alive\n" and "SettingWarning" in done.stderr and name in done.stderr
    assert "Traceback" not in done.stderr
    refused = python.essmc("list", check=False, **extra)
    assert refused.returncode == 2 and refused.stderr.startswith("Error: ") and name in refused.stderr
    assert "Traceback" not in refused.stderr and "SettingWarning" not in refused.stderr
    assert name in python.essmc("packs", **extra).stderr


def test_a_misspelled_variable_is_told(python):
    done = python.essmc("list", ESSMC_OFLINE="1", ESSMC_PACKS="")
    assert "Warning: ESSMC_OFLINE is not understood; did you mean 'ESSMC_OFFLINE'?" in done.stderr


def test_offline_that_says_neither_yes_nor_no_is_refused_where_it_matters(monkeypatch):
    from essmc_core.weights.cache import is_offline

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("ESSMC_OFFLINE", "ja")
    with pytest.raises(settings.SettingError, match="ESSMC_OFFLINE=ja"):
        is_offline()


def test_a_cache_folder_of_nobody_is_an_error_of_ours(monkeypatch):
    from essmc_core.foundation.paths import cache_dir

    monkeypatch.setenv("ESSMC_CACHE_DIR", "~no_such_user_here/cache")
    with pytest.raises(settings.SettingError, match="set ESSMC_CACHE_DIR"):
        cache_dir()
