"""The networks, a folder for each family."""
