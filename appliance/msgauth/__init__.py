"""msgauth: who sent this message: SPF, DKIM, DMARC, iprev, DNSBL."""
