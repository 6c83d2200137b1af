"""Engines that replay a trace under a policy; `reference` is the meaning, the others agree with it."""
