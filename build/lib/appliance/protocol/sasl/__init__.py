"""SASL exchanges (RFC 4422)."""
