"""What arguments of networks must be; nothing heavy is imported, so that configurations are checked without torch."""
