"""reports: the DMARC and TLS aggregate reports we owe to others, and how long all reports are kept."""
