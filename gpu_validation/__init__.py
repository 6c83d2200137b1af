"""The same policies inside vLLM, on CUDA or on its CPU build: hit rate and TTFT against the simulator.

Nothing is here yet: it arrives with the live plugin (`kvtheory.live`).
"""
