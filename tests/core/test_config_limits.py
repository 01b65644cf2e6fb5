"""Reading a configuration: whatever file is named, one clear error, and never more than a stated size."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from essmc_core.config import Config, load_config
from essmc_core.config.files import MAX_BYTES
from essmc_core.config.scalars import MAX_DIGITS
from essmc_core.errors import ConfigError
from essmc_core.zoo.labels import read_labels


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: no byte of it is on the disk


def _dangling(path: Path) -> None:
    path.symlink_to("gone.yaml")


SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pipe": (_pipe, "is a pipe that nobody writes to"),
    "a device": (_zeros, "is a device or socket"),
    "a huge file": (_huge, "more than 8 MiB"),
    "a link to nowhere": (_dangling, "gone.yaml, which is not there"),
    "a folder": (Path.mkdir, "is a folder"),
}
special = pytest.mark.parametrize(("make", "message"), SPECIAL.values(), ids=SPECIAL)


@special
def test_a_configuration_that_is_no_ordinary_file(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "odd.yaml")
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "odd.yaml")


@special
def test_a_base_that_is_no_ordinary_file(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "odd.yaml")
    (tmp_path / "a.yaml").write_text("x: 1\n_base_: odd.yaml\n")
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(tmp_path / "a.yaml")
    assert "a.yaml:2:9" in str(caught.value)


@special
def test_labels_that_are_no_ordinary_file(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "odd.txt")
    (tmp_path / "a.yaml").write_text("labels: odd.txt\n")
    expected = "does not exist" if "gone" in message else message
    with pytest.raises(ConfigError, match=expected) as caught:
        read_labels(load_config(tmp_path / "a.yaml"))
    assert "a.yaml:1:9" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("~nobody-of-that-name/x", "there is no file"), ("x" * 5000, "cannot read"), ("a\0b", "is not a file name")],
    ids=["home", "long", "null"],
)
def test_names_that_no_file_can_have(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / name)
    with pytest.raises(ConfigError, match="does not exist"):
        read_labels(Config({"labels": name}))


@pytest.mark.parametrize("prefix", ["", "0x", "0o", "-"])
def test_integers_have_a_limit(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"x: {prefix}{'1' * (MAX_DIGITS + 1)}\n")
    with pytest.raises(ConfigError, match=r"a.yaml:1:4: .*digits"):
        load_config(path)
    path.write_text(f"x: {prefix}{'1' * 50}\n")
    assert load_config(path)["x"] == int(
        prefix.replace("0o", "").replace("0x", "") + "1" * 50, {"0x": 16, "0o": 8}.get(prefix, 10)
    )


def test_a_file_at_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("x: 1\n" + "#" * (MAX_BYTES - 6) + "\n")
    assert load_config(path) == {"x": 1}


def test_aliases_that_double_are_refused(tmp_path: Path) -> None:
    levels = [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    path = tmp_path / "a.yaml"
    path.write_text("a0: &a0 [1, 2, 3]\n" + "\n".join(levels))
    with pytest.raises(ConfigError, match="once its aliases are expanded"):
        load_config(path)
