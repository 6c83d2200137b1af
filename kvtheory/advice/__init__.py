"""Advice: who predicts next uses, and what policies make of predictions (docs/theory/advice)."""
