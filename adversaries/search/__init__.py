"""Search for request sequences that are bad for a policy: on a given tree, or over trees."""
