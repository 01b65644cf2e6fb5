"""The commands `essmc train` and `essmc eval`."""
