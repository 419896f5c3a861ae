"""The command line, a file for each verb; only this package prints."""
