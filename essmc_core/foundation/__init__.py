"""What every room stands on and what knows nothing of models: names, settings, folders, whole files, plain data."""
