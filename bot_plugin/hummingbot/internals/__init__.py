"""The one place that touches Hummingbot's own code: small files, each of which says what it needs of it."""
