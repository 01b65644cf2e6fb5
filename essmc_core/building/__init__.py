"""From a configuration to objects: resolved once against signatures, then constructed."""
