"""Traces of LLM requests, in and out: one file per format."""

from kvtheory.traces.reader import FORMATS, read_trace
from kvtheory.traces.writer import write_trace

__all__ = ["FORMATS", "read_trace", "write_trace"]
