"""What a person does about a campaign, each usable from the command line, a flow and Python."""
