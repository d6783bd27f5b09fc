"""Static pages: `gather` (run → `records`), `pages` (records → text), `write` (files), `many` (several runs)."""
