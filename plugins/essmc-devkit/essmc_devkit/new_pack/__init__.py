"""`essmc new-pack`: makes a pack from a template, and brings later improvements of the template to it."""
