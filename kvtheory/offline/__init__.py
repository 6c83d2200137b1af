"""Exact offline optima."""
