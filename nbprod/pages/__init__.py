"""HTML and SVG of records: values in, text out; nothing is read but the package's own templates."""
