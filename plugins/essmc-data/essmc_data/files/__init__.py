"""Files of data sets, local or behind URLs: where they are, what is below a folder, and their content."""
