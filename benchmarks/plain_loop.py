"""A careful loop over runs of the tutorial in one process: `python benchmarks/plain_loop.py circles/hinge/3 ...`.

Every run has a model of its own; batches come from a cached tf.data pipeline, a whole epoch's steps are one call into
TensorFlow, and the curves are logged to MLflow in one call. With so few arithmetic operations to a batch, this was the
fastest of several ways to call Model.fit: five times faster than with arrays, and faster than with jit_compile.
"""

import json
import sys
import time

import keras
import tensorflow as tf
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from tutorial import BATCH_SIZE, EPOCHS, STEPS_PER_EPOCH, build, load


def run(client: MlflowClient, experiment_id: str, dataset: str, loss: str, seed: int, epochs: int) -> dict:
    """Train and log one run; return what it is and its seconds, those of making the data not among them."""
    data = load(dataset, loss)
    params = {"dataset": dataset, "loss": loss, "seed": seed}
    started, cpu_started = time.perf_counter(), time.process_time()
    log(client, experiment_id, params, fit(data, dataset, loss, seed, epochs))
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return {**params, "seconds": seconds, "cpu_seconds": cpu_seconds}


def fit(data, dataset: str, loss: str, seed: int, epochs: int) -> dict[str, list[float]]:
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    train, test = batches(*data)
    model = build(dataset, loss, steps_per_execution=STEPS_PER_EPOCH, jit_compile=False)
    return model.fit(train, validation_data=test, epochs=epochs, verbose=0).history


def batches(x_train, y_train, x_test, y_test) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    x_train, y_train, x_test, y_test = (a.astype("float32") for a in (x_train, y_train, x_test, y_test))
    train = tf.data.Dataset.from_tensor_slices((x_train, y_train)).cache().shuffle(len(x_train)).batch(BATCH_SIZE)
    return train, tf.data.Dataset.from_tensor_slices((x_test, y_test)).batch(len(x_test)).cache()


def log(client: MlflowClient, experiment_id: str, params: dict, history: dict[str, list[float]]) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    moment = int(time.time() * 1000)
    metrics = [
        Metric(name, float(value), moment, epoch)
        for name, curve in history.items()
        for epoch, value in enumerate(curve, start=1)
    ]
    client.log_batch(run_id, metrics, [Param(name, str(value)) for name, value in params.items()])
    client.set_terminated(run_id)


def main() -> None:
    client = MlflowClient("sqlite:///mlflow.db")
    experiment_id = client.create_experiment("tutorial")
    # What is paid once a process belongs to the start-up.
    run(client, experiment_id, "circles", "binary_crossentropy", 0, epochs=1)
    runs = []
    for argument in sys.argv[1:]:
        dataset, loss, seed = argument.split("/")
        runs.append(run(client, experiment_id, dataset, loss, int(seed), EPOCHS[dataset]))
    print(json.dumps({"runs": runs}))


if __name__ == "__main__":
    main()
