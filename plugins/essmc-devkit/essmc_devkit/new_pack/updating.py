"""Brings a later template's changes to a pack that was made from an earlier one, and keeps what its author changed.

Copier merges three ways, between two versions of a template under version control. A template that comes in a wheel has
no such history, so one is written for the occasion; and copier works on a copy, so that the pack changes as a whole or
not at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from essmc_core.errors import EssmcError
from essmc_devkit.new_pack.rendering import ANSWERS, note_template, render
from essmc_devkit.new_pack.replacing import replace_files
from essmc_devkit.new_pack.templates import copy_template, versions

_CONFLICT = "<<<<<<< before updating"


class NotUpdatable(EssmcError, ValueError):
    """A folder that no template can be brought to."""


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did.

    Attributes:
        before: version of the template that the pack was made from.
        after: version that it has now.
        changed: files that were changed or added, relative to the pack.
        removed: files that were removed.
        conflicts: files of ``changed`` in which both sides changed the same lines; both are there, marked.
    """

    before: str
    after: str
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def update(folder: Path, known: Mapping[str, Path] | None = None) -> Update:
    """Brings the newest template to a pack.

    Args:
        folder: of the pack.
        known: versions of the template, oldest first, each a folder or an archive; by default those of this devkit.

    Raises:
        NotUpdatable: the folder was not made by `essmc new-pack`, or by a later devkit; or there is no git.
    """
    templates = versions() if known is None else known
    answers = read_answers(folder)
    before, after = str(answers.get("_commit", "")), list(templates)[-1]
    if before == after:
        return Update(before, after)
    if before not in templates:
        raise NotUpdatable(
            f"{folder} was made from version {before or '?'} of the template; this devkit knows {', '.join(templates)}",
            hint="pip install -U essmc-devkit",
        )
    if shutil.which("git") is None:
        raise NotUpdatable("an update merges with git, which is not installed", hint="install git")
    with tempfile.TemporaryDirectory() as scratch:
        merged, original = _merge(folder, Path(scratch), {key: templates[key] for key in (before, after)}, answers)
        return _take(folder, merged, original, before, after)


def read_answers(folder: Path) -> dict[str, Any]:
    """Returns how a pack was made.

    Raises:
        NotUpdatable: there is no file that says so, or it cannot be read.
    """
    file = folder / ANSWERS
    try:
        answers = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotUpdatable(
            f"{folder} was not made by `essmc new-pack`: there is no {ANSWERS} in it", hint="give the pack's folder"
        ) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise NotUpdatable(f"{file} cannot be read: {error}") from error
    if not isinstance(answers, dict):
        raise NotUpdatable(f"{file} holds no answers", hint="take it from the pack's history")
    return answers


def _merge(
    folder: Path, scratch: Path, templates: Mapping[str, Path], answers: Mapping[str, Any]
) -> tuple[Path, dict[str, bytes]]:
    """Returns a copy of the pack's files with the changes of the template, and what these files were before."""
    before, after = templates
    names = {ANSWERS}
    given = {key: value for key, value in answers.items() if not key.startswith("_")}
    for version, source in templates.items():
        copy_template(source, scratch / f"template-{version}")
        rendered = scratch / f"rendered-{version}"
        render(scratch / f"template-{version}", rendered, given, version)
        names |= {path.relative_to(rendered).as_posix() for path in rendered.rglob("*") if path.is_file()}
    original = {name: (folder / name).read_bytes() for name in sorted(names) if (folder / name).is_file()}
    history = _history(scratch, templates)
    work = scratch / "pack"
    for name, content in original.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(content)
    note_template(work, before, str(history))
    _git(work, "init", "-q")
    _commit(work, "the pack")
    _copier_update(work, after)
    note_template(work, after)
    return work, original


def _history(scratch: Path, templates: Mapping[str, Path]) -> Path:
    history = scratch / "history"
    history.mkdir()
    _git(history, "init", "-q")
    for version in templates:
        for path in history.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(scratch / f"template-{version}", history, dirs_exist_ok=True)
        # Files of two versions may have the same size and second, by which git would take one for the other.
        (history / ".git" / "index").unlink(missing_ok=True)
        _commit(history, f"template {version}")
        _git(history, "tag", version)
    return history


def _copier_update(work: Path, version: str) -> None:
    from copier import run_update

    run_update(work, defaults=True, overwrite=True, quiet=True, conflict="inline", vcs_ref=version, skip_answered=True)


def _take(folder: Path, merged: Path, original: Mapping[str, bytes], before: str, after: str) -> Update:
    found = {
        path.relative_to(merged).as_posix(): path.read_bytes()
        for path in merged.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(merged).parts
    }
    changed = {name: content for name, content in sorted(found.items()) if original.get(name) != content}
    removed = tuple(name for name in original if name not in found)
    replace_files(folder, changed, removed)
    conflicts = tuple(name for name, content in changed.items() if _CONFLICT.encode() in content)
    return Update(before, after, tuple(changed), removed, conflicts)


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "--all", "--force")
    _git(folder, "commit", "-q", "--no-verify", "--allow-empty", "-m", message)


def _git(folder: Path, *arguments: str) -> None:
    # The user's own settings, such as signing and hooks, are none of these temporary repositories' business.
    identity = ("-c", "user.name=essmc", "-c", "user.email=essmc@localhost", "-c", "core.autocrlf=false")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", *identity, *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
