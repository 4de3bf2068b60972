"""A pipeline: trains a small model on made-up prices, and sends what it predicts, a candle each second.

The source names the model ``momentum``; scikit-learn is installed.

SIGNAL_GATEWAY_SOURCE=btc-models SIGNAL_GATEWAY_KEY=sg_... python examples/predictions/train_and_stream.py
"""

from __future__ import annotations

import argparse
import csv
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from bot_plugin.predictions import PredictionClient, run_program

PRICES = Path(__file__).with_name("prices.csv")
LOOK_BACK = 24
"""Candles that the model sees."""
MOVE = 0.002
"""The move within an hour, as a fraction of the price, that is long or short; less is neutral."""
UNLIKE = 5.0
"""Standard deviations past which an input is unlike what the model was trained on."""

NAMES = ("return_1h", "return_3h", "return_12h", "volatility", "volume")


def read_candles() -> tuple[np.ndarray, np.ndarray]:
    """The closes and the volumes, hour by hour."""
    with PRICES.open() as file:
        rows = list(csv.DictReader(file))
    return np.array([float(row["close"]) for row in rows]), np.array([float(row["volume"]) for row in rows])


def features(close: np.ndarray, volume: np.ndarray, hour: int) -> list[float]:
    """What the model sees when the candle of this hour has closed: nothing of later ones."""
    seen = np.log(close[hour - LOOK_BACK : hour + 1])
    returns = np.diff(seen)
    busy = np.log(volume[hour] / volume[hour - LOOK_BACK : hour].mean())
    return [returns[-1], seen[-1] - seen[-4], seen[-1] - seen[-13], returns.std(), busy]


def label(close: np.ndarray, hour: int) -> str:
    """What the hour after this one brought."""
    move = close[hour + 1] / close[hour] - 1
    return "long" if move > MOVE else "short" if move < -MOVE else "neutral"


def train(close: np.ndarray, volume: np.ndarray, until: int) -> Pipeline:
    """A model of the hours before one; none of its labels looks past that."""
    hours = range(LOOK_BACK, until - 1)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    return model.fit([features(close, volume, hour) for hour in hours], [label(close, hour) for hour in hours])


def stream(model: Pipeline, close: np.ndarray, volume: np.ndarray, *, since: int, every: float, count: int) -> None:
    """Send a prediction for each of the hours from one on, as if each of their candles closed just now."""
    version = f"trained-until-{since}"
    with PredictionClient() as client:
        for hour in range(since, min(since + count, len(close))):
            seen = features(close, volume, hour)
            (probabilities,) = model.predict_proba([seen])
            (scaled,) = model[0].transform([seen])
            result = client.send(
                pair="BTC-USDT",
                model="momentum",
                model_version=version,
                probabilities=dict(zip(model.classes_, probabilities, strict=True)),
                confidence=probabilities.max(),
                outlier=np.abs(scaled).max() > UNLIKE,
                target_pct=round(MOVE, 4),
                observed_at=datetime.now(UTC),
                horizon="1h",
                features=dict(zip(NAMES, seen, strict=True)),
            )
            said = "  ".join(f"{name} {share:.2f}" for name, share in zip(model.classes_, probabilities, strict=True))
            print(f"{close[hour]:>9.1f}  {said}  ->  {result}", flush=True)
            time.sleep(every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two predictions")
    parser.add_argument("--count", type=int, default=60, help="how many to send")
    arguments = parser.parse_args()
    close, volume = read_candles()
    since = len(close) * 3 // 4
    model = train(close, volume, since)
    after = range(since, len(close) - 1)
    came = [label(close, hour) for hour in after]
    right = model.score([features(close, volume, hour) for hour in after], came)
    guess = max(map(came.count, came)) / len(came)
    print(f"trained on {since} hours; right in {right:.0%} of the next {len(came)}, a guess in {guess:.0%}", flush=True)
    stream(model, close, volume, since=since, every=arguments.every, count=arguments.count)


if __name__ == "__main__":
    run_program(main)
