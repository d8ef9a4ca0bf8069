"""The watch: looks at the store on its own account, needs neither worker nor server, and tells through incidents."""
