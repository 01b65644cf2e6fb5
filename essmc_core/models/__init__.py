"""Models as wholes: built by name, asked, exported, measured."""
