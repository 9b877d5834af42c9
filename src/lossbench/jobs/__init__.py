"""What a Hydra job does: it prepares a cell, trains its runs, evaluates them and writes them."""
