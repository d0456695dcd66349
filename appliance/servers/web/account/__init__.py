"""The functions of the account pages: verbs, and reads of the store, in the language of JSON."""
