"""Everything of MLflow: a projection of the results on disk that can be written again at any time.

``process`` runs beside a sweep and follows its folder; the others are what it writes.
"""
