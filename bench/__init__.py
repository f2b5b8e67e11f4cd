"""Benchmarks: floors, peers and ours side by side, in turn, in one run."""
