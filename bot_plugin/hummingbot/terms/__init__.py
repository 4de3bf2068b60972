"""What the commands are made of, without Hummingbot: plans, changes, faults in words, figures as they are told."""
