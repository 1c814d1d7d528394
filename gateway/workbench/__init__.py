"""The integrator's workbench: what the gateway sees, in the browser. `server.run` is the way in; nothing is stored."""
