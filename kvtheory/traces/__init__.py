"""Traces of LLM requests, in and out: one file per format."""

from kvtheory.traces.formats import formats
from kvtheory.traces.reader import read_trace
from kvtheory.traces.writer import write_trace

__all__ = ["formats", "read_trace", "write_trace"]
