"""French identifiers and business rules; what breaks a rule here gives a warning, never an error."""
