from lossbench.ground.errors import UsageError as UsageError
from lossbench.interface.comparing import compare as compare
from lossbench.interface.estimators import NetworkClassifier as NetworkClassifier
from lossbench.interface.estimators import NetworkRegressor as NetworkRegressor
from lossbench.interface.loading import load as load
from lossbench.interface.sweep_results import Sweep as Sweep

__version__: str
__all__ = ["NetworkClassifier", "NetworkRegressor", "Sweep", "UsageError", "__version__", "compare", "load"]
