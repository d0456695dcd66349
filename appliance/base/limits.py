"""Every limit of the product, in one table: what a peer, a message or a moment may cost us.

The rooms below define the shapes (`mail.scan.ScanLimits` and the like) and take them as arguments; the values
stand here and nowhere else. Sizes are in octets, times in seconds.
"""
