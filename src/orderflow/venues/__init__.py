"""Venues: one form per venue with pure decoders: bytes in, events out."""
