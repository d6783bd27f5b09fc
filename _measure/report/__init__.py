"""The report of a run as static pages: `gather` (run → `records`), `pages` (records → text), `write` (files)."""
