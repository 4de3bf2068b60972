"""What Hummingbot's ``ai_livestream`` trades on: the prediction in force for each pair, said again and again."""

from gateway.livestream.livestream import Livestream
from gateway.livestream.standing import Followed

__all__ = ["Followed", "Livestream"]
