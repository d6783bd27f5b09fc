"""The generator family: its networks, and the way from densities to surfaces."""
