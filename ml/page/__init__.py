"""From a grey page to lines of digits: ink, rulings, components, lines, cuts, candidates.

A learned finder is to replace this package; nothing new belongs here.
"""
