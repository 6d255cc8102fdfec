"""Pictures of stores and runs. What is drawn is computed first, as plain data; drawing only draws it."""
