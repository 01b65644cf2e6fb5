"""Building objects from a configuration: it is resolved once against signatures, then constructed."""
