"""The tests, a package by name, as a library that we use installs one that is called the same."""
