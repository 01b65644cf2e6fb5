"""``python -m essmc_core`` is the command ``essmc``."""

from essmc_core.cli import main

if __name__ == "__main__":
    main()
