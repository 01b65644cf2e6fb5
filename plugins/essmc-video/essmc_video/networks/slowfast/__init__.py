"""SlowFast networks: a slow path of many channels, a fast one of many frames."""
