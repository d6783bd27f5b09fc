"""Meshes to pictures: views, shadings and two rasterisers behind one interface."""
