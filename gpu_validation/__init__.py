"""The same policies inside vLLM, on CUDA or on its CPU build: hit rate and TTFT against the simulator.

`python -m gpu_validation run` measures and writes one JSON; `python -m gpu_validation report` reads it.
Running needs vLLM, numpy and numba; reporting needs matplotlib and no vLLM.
"""
