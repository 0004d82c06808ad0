"""Answers from the tracker's state: pure functions of snapshots, history and `now`, shared by every face."""
