"""Imports TensorFlow without its chatter, which users cannot act on. Import this before anything that needs it."""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def _import() -> None:
    # Its C++ part writes some lines past every setting, straight to the file descriptor: catch them there.
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            import tensorflow

            # One program a structure is what is meant; TensorFlow takes it for one function that is traced again.
            tensorflow.get_logger().setLevel("ERROR")
        except Exception:  # not for Ctrl-C: nothing is wrong with the installation then
            caught.seek(0)
            os.write(stderr, caught.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


if "tensorflow" not in sys.modules:
    _import()
