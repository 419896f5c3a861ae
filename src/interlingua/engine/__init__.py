"""Who computes: the device, how work is shared out, layers packed for the processor."""
