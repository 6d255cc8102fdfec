"""Programs of our own in processes of their own, and what each of them does once."""
