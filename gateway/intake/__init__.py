"""Receive, authenticate, parse, normalise, guard: what happens inside the HTTP request."""
