"""Roads: a contracted graph with the seconds of four ways of moving, built once, kept in a file."""
