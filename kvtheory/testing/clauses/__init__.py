"""The clauses of the contract, each a function that raises AssertionError where a policy breaks it."""
