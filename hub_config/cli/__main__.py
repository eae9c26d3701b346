"""Run the command line."""

from hub_config.cli.main import main

raise SystemExit(main())
