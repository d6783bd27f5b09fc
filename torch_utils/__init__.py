"""The torch foundation: what networks stand on, and nothing about anime characters."""
