"""Networks that metrics look through, in plain torch, with torchvision's parameter names."""
