"""BitBake: tasks by buildstats (`stats`), by console log (`console`, `log`), and builds made of both (`run`)."""
