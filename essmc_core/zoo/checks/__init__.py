"""What each section of a configuration may hold, told before anything is built."""
