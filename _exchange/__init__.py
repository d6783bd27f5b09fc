"""What passes between rooms, in memory and on disk: plain types, plain files, no torch, no pickle written."""
