"""Ways to evaluate a radiance field along rays and on lattices: the plain one, and fast ones that agree with it."""
