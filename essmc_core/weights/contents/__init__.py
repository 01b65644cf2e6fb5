"""What a file holds, read without torch: descriptions of tensors, and the structure they stand in."""
