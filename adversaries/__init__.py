"""Generators of request sequences: realistic families and adversarial ones."""
