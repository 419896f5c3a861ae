"""Pictures: files to pixels, pixels to patches for an encoder, and to discrete tokens for a decoder."""
