"""The verbs of the command line, one file each; files that begin with an underscore are shared parts."""
