"""Reports: makes tables, pictures and pages from run folders and from the studies' description files."""
