"""How alerts spell what they mean: one reader per dialect, and the words they share. A new dialect is a new file here.

A reader sorts a document's values by field and makes nothing of them: ``keyed`` reads JSON, ``text`` plain text.
"""

from gateway.formats import keyed, text
from gateway.formats.spelled import Spelled
from gateway.formats.words import ACCEPTED_ACTIONS, ACTIONS, ORDER_TYPES, SIDES, UNITS, Intent, meaning

__all__ = [
    "ACCEPTED_ACTIONS",
    "ACTIONS",
    "ORDER_TYPES",
    "SIDES",
    "UNITS",
    "Intent",
    "Spelled",
    "keyed",
    "meaning",
    "text",
]
