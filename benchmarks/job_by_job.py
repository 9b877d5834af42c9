"""One run of the tutorial as one Hydra job: `python benchmarks/job_by_job.py dataset=circles loss=hinge seed=3`."""

import json
import time

import hydra
import keras
import mlflow
from omegaconf import DictConfig
from tutorial import BATCH_SIZE, EPOCHS, build, load


@hydra.main(config_path=".", config_name="job_by_job", version_base="1.3")
def main(config: DictConfig) -> None:
    keras.utils.set_random_seed(config.seed)
    x_train, y_train, x_test, y_test = load(config.dataset, config.loss)
    mlflow.set_tracking_uri(config.tracking_uri)
    mlflow.set_experiment("tutorial")
    mlflow.tensorflow.autolog(log_models=False)
    started, cpu_started = time.perf_counter(), time.process_time()
    with mlflow.start_run(run_name=f"{config.dataset}/{config.loss}/seed={config.seed}"):
        mlflow.log_params({"dataset": config.dataset, "loss": config.loss, "seed": config.seed})
        model = build(config.dataset, config.loss)
        model.fit(
            x_train,
            y_train,
            validation_data=(x_test, y_test),
            epochs=EPOCHS[config.dataset],
            batch_size=BATCH_SIZE,
            verbose=0,
        )
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main()
