"""For pipelines: send a model's predictions to the gateway over HTTP. The standard library is all that it needs.

from bot_plugin.predictions import PredictionClient, PredictionSettings
"""

from __future__ import annotations

from bot_plugin.errors import SettingsError
from bot_plugin.predictions.asynchronous import AsyncPredictionClient
from bot_plugin.predictions.body import Prediction
from bot_plugin.predictions.client import PredictionClient
from bot_plugin.predictions.results import Fault, NotAccepted, Outcome, Result
from bot_plugin.predictions.settings import PredictionSettings
from bot_plugin.program import run_program

__all__ = [
    "AsyncPredictionClient",
    "Fault",
    "NotAccepted",
    "Outcome",
    "Prediction",
    "PredictionClient",
    "PredictionSettings",
    "Result",
    "SettingsError",
    "run_program",
]
