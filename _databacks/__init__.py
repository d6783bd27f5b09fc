"""Read data: characters from files and from a seed, and the datasets made of them."""
