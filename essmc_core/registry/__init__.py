"""Components by name: records, name tables, pins, kinds, and the import of targets."""
