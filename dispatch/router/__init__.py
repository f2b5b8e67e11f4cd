"""Road seconds from servers that others wrote, where a site has one."""
