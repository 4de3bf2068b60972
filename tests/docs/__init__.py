"""The documentation's promises, kept by tests."""
