"""What can be asked, and how texts become sentences for the pool."""
