"""Rate-distortion modules of CIFD: trained from the cache, written into it, read back."""
