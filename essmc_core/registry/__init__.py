"""Components by name: records, tables of names, pins, kinds, and the import of what a record names."""
