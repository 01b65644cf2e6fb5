"""Child processes with a limit of time and memory, in which a pack's code runs."""
