"""Lists of files and labels, as text or as JSON: their lines, columns and labels."""
