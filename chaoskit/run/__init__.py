"""One run, from plan to verdict; and what is watched beside it: engine events, logs, ports."""
