"""Market: the vocabulary. Events, instruments, streams and errors; imports nothing of ours."""
