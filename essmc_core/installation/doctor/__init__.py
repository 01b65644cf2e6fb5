"""What `essmc doctor` looks at, one subject a file."""
