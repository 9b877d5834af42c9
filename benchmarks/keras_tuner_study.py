"""The study of a tutorial cell with KerasTuner, sampled: `python benchmarks/keras_tuner_study.py circles/hinge ...`.

Bayesian optimisation over the learning rate; a trial trains the same model several times and is judged by their mean.
Training is that of the careful loop: batches from a cached tf.data pipeline, all steps of an epoch in one execution.
"""

import json
import math
import sys
import tempfile
import time

import keras
import keras_tuner
from plain_loop import batches
from tutorial import BATCH_SIZE, EPOCHS, build, load

N_HELD_OUT = 100
N_TRIALS, N_EXECUTIONS = 1, 2


def search(folder: str, dataset: str, loss: str, epochs: int, n_trials: int, n_executions: int) -> None:
    x, y, *_ = load(dataset, loss)
    train, validation = batches(x[:-N_HELD_OUT], y[:-N_HELD_OUT], x[-N_HELD_OUT:], y[-N_HELD_OUT:])

    def model(hyperparameters: keras_tuner.HyperParameters) -> keras.Model:
        steps = math.ceil((len(x) - N_HELD_OUT) / BATCH_SIZE)
        made = build(dataset, loss, steps_per_execution=steps, jit_compile=False)
        made.optimizer.learning_rate = hyperparameters.Float("learning_rate", 1e-4, 1.0, sampling="log")
        return made

    metric = "mse" if dataset == "regression" else "accuracy"
    objective = keras_tuner.Objective(f"val_{metric}", "min" if metric == "mse" else "max")
    tuner = keras_tuner.BayesianOptimization(
        model,
        objective,
        max_trials=n_trials,
        executions_per_trial=n_executions,
        seed=1,
        directory=folder,
        project_name=f"{dataset}-{loss}-{epochs}",
        overwrite=True,
    )
    tuner.search(train, validation_data=validation, epochs=epochs, verbose=0)


def main() -> None:
    studies = []
    with tempfile.TemporaryDirectory() as folder:
        # What is paid once a process belongs to the start-up.
        search(folder, "circles", "binary_crossentropy", 1, 1, 1)
        for argument in sys.argv[1:]:
            dataset, loss = argument.split("/")
            started, cpu_started = time.perf_counter(), time.process_time()
            search(folder, dataset, loss, EPOCHS[dataset], N_TRIALS, N_EXECUTIONS)
            seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
            n_trainings = N_TRIALS * N_EXECUTIONS
            each = {"seconds": seconds / n_trainings, "cpu_seconds": cpu_seconds / n_trainings}
            studies.append({"dataset": dataset, "loss": loss, "trainings": n_trainings, **each})
    print(json.dumps({"studies": studies}))


if __name__ == "__main__":
    main()
