"""The verbs, in families: basic, text, dates, numbers, conditions, tables, references, contact, lists, custom."""
