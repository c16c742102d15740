"""What the console reads of a mesh, and tells: requests, who calls whom, lanes, and the rules in force."""
