"""Worker processes, and the queue that feeds them."""
