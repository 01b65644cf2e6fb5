"""What is checked before a commit is what continuous integration checks."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_hooks_run_the_commands_of_continuous_integration() -> None:
    hooks = [
        hook
        for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repository["hooks"]
    ]
    commands = (ROOT / ".ci" / "checks").read_text().split('cd "$(dirname "$0")/.."\n')[1].split("\n")
    assert [hook["entry"] for hook in hooks] == [command for command in commands if command]
    assert {hook["language"] for hook in hooks} == {"system"}, "others are fetched"
    assert "    .ci/checks\n" in (ROOT / ".ci" / "run").read_text()


def test_scripts_that_are_called_can_be() -> None:
    for name in ("run", "checks", "new-packs", "wheel-only", "lowest-versions", "pythons"):
        assert os.access(ROOT / ".ci" / name, os.X_OK), name
