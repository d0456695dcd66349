"""The functions of the admin pages: verbs, and reads of the store, in the language of JSON."""
