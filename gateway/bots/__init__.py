"""What the bots say."""
