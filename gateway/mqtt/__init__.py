"""The gateway's door to the broker."""
