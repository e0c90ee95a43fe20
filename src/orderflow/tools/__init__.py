"""Tools: one typed function per question, for every door."""
