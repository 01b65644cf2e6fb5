"""A model run by the engine that is fastest here: engines tried, compared, measured, chosen and remembered."""
