"""What components accept: signatures read from source or from live objects, types, docs, YAML stubs."""
