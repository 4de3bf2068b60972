"""The remote commands of a real Hummingbot: each is answered when it is done, with the application's own figures."""
