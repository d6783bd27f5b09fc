"""One thin file per verb: options, one call into the rooms below, an outcome."""
