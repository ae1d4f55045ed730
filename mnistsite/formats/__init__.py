"""The one format of dates, as `static/predictions/times.js` has it: one package per language."""
