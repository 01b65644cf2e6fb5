"""Engines for essmc: a model's test mode, run by whatever runs it fastest on this machine."""
