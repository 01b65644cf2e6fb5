"""Runs the command ``essmc`` as ``python -m essmc_core``."""

from essmc_core.cli import main

if __name__ == "__main__":
    main()
