"""The operators that the generator family is built from: plain PyTorch, differentiable twice, on any device."""
