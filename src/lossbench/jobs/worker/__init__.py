"""The worker: the process in which jobs train, so that a cell that takes its process down takes no other along.

In: a task, which is a cell's open runs or a data set's yardsticks. Out: a part file for each, whatever happens to the
process. ``supervision`` gives orders and listens, ``attempts`` decides what is tried again and what has failed,
``process`` is the worker as its parent sees it, and ``inside`` is what runs in it. Only there TensorFlow is loaded.
"""
