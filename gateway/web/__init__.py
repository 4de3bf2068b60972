"""The two HTTP listeners: public and private."""
