"""The composition root: settings in, workers out. Nothing else constructs the parts."""

from gateway.app.run import run

__all__ = ["run"]
