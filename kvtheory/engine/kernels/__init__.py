"""Compiled twins of policies that are objects, one file each; the object stays the definition."""
