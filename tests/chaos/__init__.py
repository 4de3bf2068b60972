"""Whole processes under load while everything breaks, and a checker of what the bots saw."""
