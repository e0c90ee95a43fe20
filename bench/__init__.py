"""Bench: what `make bench` runs: our speed and memory beside the rivals', on the same frames in one run."""
