"""One eviction policy per file; a file placed here is a policy everywhere."""
