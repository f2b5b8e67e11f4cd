"""How processes tell each other: within one process by memory, between processes by NATS."""
