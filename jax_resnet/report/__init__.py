"""Reports: from run folders, and the descriptions that studies leave, to tables, pictures and pages."""
