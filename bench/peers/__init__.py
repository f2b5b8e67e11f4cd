"""The processes of benchmarks: floors, peers, ours, and the phones that talk to them."""
