"""The settings of a cell as types, the space that a study searches in them, and the folders in which things lie.

Values stand in ``conf/`` and nowhere else. It imports ``ground``, and neither computes nor writes.
"""
