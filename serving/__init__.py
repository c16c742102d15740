"""What the services have in common: settings, channels, the gRPC server, drain, the command line."""
