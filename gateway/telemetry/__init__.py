"""Metrics and logs: domain verbs in, Prometheus and structlog out."""
