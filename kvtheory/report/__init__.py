"""Tables, plots and pages made from a report."""
