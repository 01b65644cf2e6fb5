"""The command `essmc demo`."""
