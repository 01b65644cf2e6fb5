"""What a run reads: batches in their order, labels and names of classes."""
