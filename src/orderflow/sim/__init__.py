"""Sim: a simulated market that serves the venues' real protocols on loopback."""
