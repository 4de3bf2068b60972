"""The contract as documents: that they say what the code does, and that nothing answers what they do not say."""
