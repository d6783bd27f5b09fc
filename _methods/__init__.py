"""Reconstruction methods behind one interface: set a portrait once, ask for pictures and a mesh."""
