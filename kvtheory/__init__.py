"""Competitive analysis of KV-cache eviction and query routing."""

__version__ = "0.1.0"
