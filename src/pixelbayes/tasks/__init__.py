"""What a model is for: each task is a way of reading its likelihood, or a walk with its own choice."""
