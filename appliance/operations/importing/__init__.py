"""Mail comes in from elsewhere: files, archives, other servers."""
