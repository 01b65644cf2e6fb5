"""What happens around iterations and epochs: one hook a file."""
