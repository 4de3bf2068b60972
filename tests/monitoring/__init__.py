"""The rules and the dashboard: that they say what is so, and ask for what there is."""
