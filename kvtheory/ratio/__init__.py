"""Competitive ratios: measured, exact, and the best that any algorithm can have."""
