"""The speed of the main job, as ratios measured in one run: ``make bench``."""
