"""What every other package stands on; it imports none of ours.

Errors and how they are said, seeds and their random streams, files that are written as a whole, and functions of the
user's own.
"""
