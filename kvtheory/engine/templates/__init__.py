"""Kernels as ordinary modules around stand-in hooks; `codegen` puts a policy's hooks in their place."""
