"""The version of essmc-core, read by the build and by packs that state a range."""

__version__ = "0.1.0"
