"""The stream: what happens in builds, sent to many clients as it happens, resumable over a restart."""
