"""Tens of thousands of (sequence, seed) pairs replayed at once, in torch, on a CPU or a CUDA device."""
