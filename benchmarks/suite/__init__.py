"""The asv suite: `just bench` runs it with the installed package. Every timed function ends in ist.eval."""
