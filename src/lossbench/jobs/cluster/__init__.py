"""Cells as jobs of a cluster, through submitit: submitted in groups, waited for, found again by the next start.

In: the open cells of a sweep and the settings of ``conf/hydra/launcher/slurm.yaml``. Out: the cells' own files, which
the jobs write, and ``jobs.json`` in the sweep's folder, which says which job has which cells. ``submission`` decides
what is submitted and waits, ``shares`` cuts it into what each job gets, ``job_list`` asks the cluster which jobs are
there, and ``group`` is what runs in a job. submitit and Hydra are loaded only where jobs are submitted or run.
"""
