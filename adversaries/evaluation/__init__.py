"""The evaluation of the paper on routing [Wu2026]_, rebuilt in simulated time: what ran, tables, pictures."""
