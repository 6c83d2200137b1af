"""The contract every policy meets by existing, for this package and for plugins: `run_contract(MyPolicy)`."""
