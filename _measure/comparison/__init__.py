"""Measured runs beside one another: paired characters, and a ranking."""
