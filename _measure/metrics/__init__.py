"""One metric a file: a frozen description and a pure function on one pair. No accumulators."""
