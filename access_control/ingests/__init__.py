"""Loading publisher files through the portal: uploads, runs, exceptions, publication."""
