"""Predictions for many files, streamed to a file of rows that survives interruptions."""
