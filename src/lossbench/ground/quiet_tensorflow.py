"""Imports TensorFlow with its start-up messages suppressed, because users cannot act on them.

Import this module before any other that imports TensorFlow or Keras: the settings below are read at the first import.
"""

import os
import sys
import tempfile

from lossbench.ground.garbage import no_collection

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def _import() -> None:
    # TensorFlow's C++ code ignores the log level for some lines and writes them to file descriptor 2, past Python's
    # sys.stderr. So the descriptor itself points to a temporary file during the import.
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            with no_collection():
                import tensorflow

            # TensorFlow warns of "retracing" when many functions are compiled. The trainer compiles one program for
            # each structure on purpose.
            tensorflow.get_logger().setLevel("ERROR")
        except Exception:
            # The import failed: show what TensorFlow wrote. Not for Ctrl-C, which is no Exception.
            caught.seek(0)
            os.write(stderr, caught.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


if "tensorflow" not in sys.modules:
    _import()
