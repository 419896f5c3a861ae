"""Requests as they come: bodies within limits, who asks, how often."""
