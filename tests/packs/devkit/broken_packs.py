"""Makes the broken packs of the corpus: copies of the sound pack, installed, each with one change."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from essmc_devkit.installation.pack_under_test import PackUnderTest

HERE = Path(__file__).parent
SOUND = HERE / "sound_pack"
SOUND_INFO = "essmc_sound-0.1.0.dist-info"


@dataclass(frozen=True)
class BrokenPack:
    """One pack of the corpus.

    Attributes:
        name: what it is called instead of ``sound``.
        fault: what is wrong with it.
        check: the check that has to find it; all others are in order.
        words: what its message has to say.
        status: of the finding.
        subject: the component, entry or command that is broken; empty if the installation is.
        edit: by file, pairs of a text and what replaces it.
        append: by file, what is added at its end.
        files: new files, or all of a file.
        remove: files, or folders, that are left out.
        after: the same changes once RECORD is written.
        also: further checks that find it, since one fault has several effects.
        seconds: how long it is waited for.
    """

    name: str
    fault: str
    check: str
    words: str
    status: str = "failed"
    subject: str = ""
    edit: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    append: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    remove: Sequence[str] = ()
    after: Mapping[str, Any] = field(default_factory=dict)
    also: Sequence[str] = ()
    seconds: float = 120.0

    def __str__(self) -> str:
        return self.name

    def renamed(self, text: str) -> str:
        """Returns a text of the sound pack with the names of this one."""
        snake = self.name.replace("-", "_")
        text = text.replace("essmc-sound", f"essmc-{self.name}").replace("Sound", self.camel)
        return re.sub(r"\bsound\b(?=\"|')", self.name, text).replace("sound", snake)

    @property
    def camel(self) -> str:
        """What stands for ``Sound`` in names of classes."""
        return "".join(part.capitalize() for part in self.name.split("-"))


def corpus(file: str) -> list[BrokenPack]:
    """Returns the packs of one file of the corpus."""
    with open(HERE / "corpus" / file, encoding="utf-8") as stream:
        return [BrokenPack(**one) for one in yaml.safe_load(stream)]


def build_sound_pack(folder: Path) -> Path:
    """Returns a folder with the sound pack as a wheel holds it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=SOUND, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "sound")
    return folder / "sound"


def install(pack: BrokenPack, sound: Path, site: Path) -> PackUnderTest:
    """Writes a broken pack as pip would have installed it.

    Args:
        pack: of the corpus.
        sound: what `build_sound_pack` returned.
        site: the folder, which is made.
    """
    files = {
        path.relative_to(sound).as_posix(): path.read_bytes() for path in sorted(sound.rglob("*")) if path.is_file()
    }
    del files[f"{SOUND_INFO}/RECORD"]
    changed = _changed(pack, files, pack.edit, pack.append, pack.files, pack.remove)
    renamed = {pack.renamed(name): _renamed(pack, data) for name, data in changed.items()}
    info = pack.renamed(SOUND_INFO)
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in renamed.items())
    renamed[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    after = dict(pack.after)
    final = _changed(
        pack, renamed, after.get("edit", {}), after.get("append", {}), after.get("files", {}), after.get("remove", ())
    )
    for name, data in final.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return PackUnderTest(site / info, (site,), (str(site),))


def _changed(
    pack: BrokenPack,
    files: Mapping[str, bytes],
    edit: Mapping[str, Sequence[Sequence[str]]],
    append: Mapping[str, str],
    new: Mapping[str, str],
    remove: Sequence[str],
) -> dict[str, bytes]:
    found = dict(files)
    for name, pairs in edit.items():
        text = found[name].decode()
        for old, replacement in pairs:
            assert old in text, f"{pack.name}: {name} does not hold {old!r}"
            text = text.replace(old, replacement)
        found[name] = text.encode()
    for name, text in append.items():
        found[name] += text.encode()
    found |= {name: text.encode() for name, text in new.items()}
    for name in remove:
        matching = [one for one in found if one == name or one.startswith(f"{name}/")]
        assert matching, f"{pack.name}: there is no {name}"
        for one in matching:
            del found[one]
    return found


def _renamed(pack: BrokenPack, data: bytes) -> bytes:
    try:
        return pack.renamed(data.decode()).encode()
    except UnicodeDecodeError:
        return data


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
