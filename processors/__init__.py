"""What runs on the log: the command processor, the reactors and the auditors."""
