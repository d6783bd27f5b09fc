"""One run under other rules: both protocols, without pasted pixels, one switch at a time."""
