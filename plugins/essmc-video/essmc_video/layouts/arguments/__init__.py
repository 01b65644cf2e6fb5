"""Arguments of our networks, from the names and shapes of their tensors: one family of networks a file."""
