"""Seals of runs, their check, and archives of sealed runs."""
