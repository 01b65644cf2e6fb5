"""Before the first step: trial batches, and what a run says of itself."""
