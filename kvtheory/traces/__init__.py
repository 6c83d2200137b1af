"""Traces of LLM requests, in and out: one file per format."""

from kvtheory.traces.formats import request_formats
from kvtheory.traces.reader import read_trace
from kvtheory.traces.writer import write_trace

__all__ = ["read_trace", "request_formats", "write_trace"]
