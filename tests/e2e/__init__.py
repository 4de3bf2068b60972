"""Whole processes: a gateway, a broker, bots, and callers over real HTTP."""
