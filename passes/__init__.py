"""The passes that carry a program down the levels, a folder for each step; imports dialects only."""
