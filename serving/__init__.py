"""What every service of bookinfo has in common: settings, channels, the gRPC server, drain, the command line."""
