"""What deploy/ has, held against the programs that read it."""
