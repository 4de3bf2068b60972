"""From bytes to a draft: the stations that run inside the HTTP request, as plain functions over frozen dataclasses.

``pipeline.py`` calls them in this order, and they do not know each other:

- ``authenticate``: who sends this. ``secrets_shown``: what no later station may repeat.
- ``parse``: bytes to documents, without secrets. ``each``: every document through a station, all faults at once.
- ``normalise``: what a document means: a trade or an alert. ``demand``: that it is our own body. ``predict``: of a
  source of predictions.
- ``guard``: until when it is true, and whether it still is. ``valid_until``: what a canonical body says of that.
  ``lasting``: the same of a prediction.
- ``identify``, ``seal``, ``draft``: how a repeat is known, the envelope, and what the journal commits.
  ``causationid``: what a canonical trade was made of.
"""

from gateway.intake.authenticate import authenticate, secrets_shown
from gateway.intake.batch import Batch, Document, each
from gateway.intake.canonical import CAUSE, causationid, demand, valid_until
from gateway.intake.draft import draft, identify, instrument_name, seal
from gateway.intake.guard import expiry, guard, lasting
from gateway.intake.normalise import normalise
from gateway.intake.parse import Format, parse
from gateway.intake.prediction import predict
from gateway.intake.source import Door, HummingbotEvent, Keys, Line, Predictions, Received, Signature, Source, Ttl

__all__ = [
    "CAUSE",
    "Batch",
    "Document",
    "Door",
    "Format",
    "HummingbotEvent",
    "Keys",
    "Line",
    "Predictions",
    "Received",
    "Signature",
    "Source",
    "Ttl",
    "authenticate",
    "causationid",
    "demand",
    "draft",
    "each",
    "expiry",
    "guard",
    "identify",
    "instrument_name",
    "lasting",
    "normalise",
    "parse",
    "predict",
    "seal",
    "secrets_shown",
    "valid_until",
]
