"""`essmc demo`: a short tour of what is installed, on real photos and real clips."""

from __future__ import annotations

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_demo import show, tour


@click.command(epilog=examples("essmc demo", "essmc demo --json"))
@json_option
def demo(as_json: bool) -> None:
    """Show what is installed, name real photos and motions with pretrained models, run a real clip through another."""
    tour.require_packs()
    if as_json:
        facts = {"photos": tour.name_photos(), "motions": tour.name_motions(), "clip": tour.run_clip()}
        write_json({"installed": tour.installed(), **facts})
        return
    # Each step is shown as soon as it is done: importing torch takes longer than all the rest.
    show.show_installed(tour.installed())
    show.show_photos(tour.name_photos())
    show.show_motions(tour.name_motions())
    show.show_clip(tour.run_clip())
    show.show_next()
