"""What a run shows and writes down: progress, log lines, metrics file, curves."""
