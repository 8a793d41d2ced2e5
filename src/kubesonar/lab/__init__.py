"""A real small mesh on one machine: namespaces, links, faults."""
