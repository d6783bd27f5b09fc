"""Hair: a cap over the skull and closed locks swept along guide curves."""
