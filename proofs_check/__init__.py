"""Every theorem the package relies on, one file each, checked by machine."""
