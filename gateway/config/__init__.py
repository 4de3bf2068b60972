"""The YAML file and the environment become settings."""
