"""msgauth: who sent this message: SPF, DKIM, ARC, DMARC, iprev, DNSBL."""
